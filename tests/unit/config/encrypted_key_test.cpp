// SPDX-License-Identifier: Apache-2.0
// Encrypted private keys, with their passphrase in a file.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "config/document.h"
#include "crypto/credential.h"
#include "crypto/issuing.h"
#include "crypto/sealed_key.h"
#include "support/temporary_folder.h"

using namespace svti;

namespace {

std::string vector(const std::string& name) {
  std::ostringstream out;
  out << std::ifstream(std::string(SVTI_SOURCE_DIR) + "/tests/vectors/keys/" + name).rdbuf();
  return out.str();
}

std::string passphrase_file(const test::TemporaryFolder& folder, const std::string& text, mode_t mode = 0600) {
  const std::string path = folder.file("passphrase");
  std::ofstream(path) << text;
  BOOST_TEST_REQUIRE(chmod(path.c_str(), mode) == 0);
  return path;
}

std::string text_with(const std::string& key_pem, const std::string& file) {
  return "ike\ncertificate gw\ncertificate \"" + vector("gw.pem") + "\"\nprivate-key \"" + key_pem + "\"\n" +
         (file.empty() ? "" : "private-key-passphrase-file " + file + "\n") + "..\n..\n";
}

std::string text_of(const std::string& key, const std::string& file) { return text_with(vector(key), file); }

// what is said of a text: errors, or warnings
std::string errors_of(const std::string& text) {
  const auto parsed = config::Document::parse(text, "f");
  std::string out;
  for (const auto& one : parsed ? parsed->warnings() : parsed.error()) out += one.to_string() + "\n";
  return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Result<crypto::PrivateKey> decrypt(const std::string& key, std::string_view passphrase) {
  return crypto::decrypt_private_key(as_bytes(vector(key)), Secret(as_bytes(passphrase)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(encrypted_keys)

BOOST_AUTO_TEST_CASE(what_openssl_encrypted_is_decrypted) {
  const auto certificate = crypto::parse_certificate(as_bytes(vector("gw.pem")), crypto::CertificateKind::X509);
  for (const char* key : {"pbkdf2.key", "scrypt.key"}) {
    const auto decrypted = decrypt(key, "open-sesame");
    BOOST_TEST_REQUIRE(decrypted.has_value());
    BOOST_TEST(decrypted->key_id == certificate->key_id);
    BOOST_TEST(decrypted->type == "ecdsa");
    BOOST_TEST(has(decrypt(key, "open-sesamE").error().message, "the passphrase is wrong"));
    BOOST_TEST(has(decrypt(key, "").error().message, "the passphrase is wrong"));
  }
}

BOOST_AUTO_TEST_CASE(what_is_weak_slow_or_cut_is_refused_with_the_reason) {
  BOOST_TEST(has(decrypt("pbes1.key", "open-sesame").error().message, "is encrypted by PBE-SHA1-3DES and not by PBES2: encrypt it anew"));
  BOOST_TEST(has(decrypt("traditional.key", "open-sesame").error().message, "before PKCS#8"));
  BOOST_TEST(has(decrypt("slow.key", "open-sesame").error().message, "5000000 rounds of PBKDF2, 4000000 are the most"));
  const std::string whole = vector("pbkdf2.key");
  for (std::size_t size = 0; size < whole.size() - 30; size += 7)
    BOOST_TEST(!crypto::decrypt_private_key(as_bytes(whole.substr(0, size)), Secret(as_bytes("open-sesame"))).has_value());
}

BOOST_AUTO_TEST_CASE(the_configuration_names_the_file_of_the_passphrase) {
  const test::TemporaryFolder folder;
  for (const char* end : {"", "\n", "\r\n"}) {
    const auto parsed = config::Document::parse(text_of("pbkdf2.key", passphrase_file(folder, std::string("open-sesame") + end)), "f");
    BOOST_TEST_REQUIRE(parsed.has_value());
    const model::Configuration& made = *parsed->resolved()->vrfs.at("main").ike;
    BOOST_TEST(made.private_keys.front()->id == made.certificates.front()->key_id);
    // what is kept and shown is the encrypted text
    BOOST_TEST(!has(parsed->print({true, true, false, "ike"}).value(), "BEGIN PRIVATE KEY"));
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_names_leaf_file_and_remedy) {
  const test::TemporaryFolder folder;
  const std::string leaf = "certificate gw private-key-passphrase-file: ";
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", "")), "certificate gw private-key: is encrypted: give private-key-passphrase-file too"));
  BOOST_TEST(has(errors_of(text_of("traditional.key", "")), "is encrypted: give"));
  const std::string wrong = passphrase_file(folder, "melon");
  const std::string said = errors_of(text_of("pbkdf2.key", wrong));
  BOOST_TEST(has(said, "certificate gw private-key: cannot be used: it cannot be decrypted: the passphrase is wrong"));
  BOOST_TEST(has(said, wrong));
  BOOST_TEST(!has(said, "melon"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", "/nowhere/p")), leaf + "cannot be used: file /nowhere/p cannot be read: No such file"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", "/")), "the path of a file"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", folder.file("."))), "is not a regular file"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", passphrase_file(folder, "open-sesame", 0640))), "chmod 600 it"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", passphrase_file(folder, "\n"))), "is empty"));
  BOOST_TEST(has(errors_of(text_of("pbkdf2.key", passphrase_file(folder, std::string(1025, 'x')))), "more than 1024 octets"));
}

BOOST_AUTO_TEST_CASE(a_passphrase_that_is_missing_costs_its_certificate_alone_until_it_is_there) {
  const test::TemporaryFolder folder;
  const std::string text = text_of("pbkdf2.key", folder.file("passphrase"));
  const auto without = config::Document::parse(text, "f");
  BOOST_TEST_REQUIRE(without.has_value());
  BOOST_TEST(without->resolved()->vrfs.at("main").ike->private_keys.empty());
  BOOST_TEST(without->resolved()->vrfs.at("main").ike->certificates.size() == 1U);
  passphrase_file(folder, "open-sesame");
  const auto with = config::Document::parse(text, "f", &*without);
  BOOST_TEST_REQUIRE(with.has_value());
  BOOST_TEST(with->warnings().empty());
  BOOST_TEST(with->resolved()->vrfs.at("main").ike->private_keys.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_sealed_key_is_taken_when_its_public_key_is_the_certificates) {
  const Secret sealing(Bytes(crypto::kSealingKeySize, 7));
  const auto sealed = [&](ByteView pkcs8) { return crypto::to_pem(crypto::kSealedKeyLabel, crypto::seal_key(pkcs8, sealing)); };
  const std::string right = sealed(decrypt("pbkdf2.key", "open-sesame")->der.view());
  BOOST_TEST(errors_of(text_with(right, "")) == "");
  const auto system = config::Document::parse(text_with(right, ""), "f")->resolved();
  const auto& keys = system->vrfs.at("main").ike->private_keys;
  BOOST_TEST_REQUIRE(keys.size() == 1U);
  BOOST_TEST(keys.front()->pkcs8.empty());
  BOOST_TEST(crypto::open_sealed_key(keys.front()->sealed, sealing).has_value());

  const std::string other = sealed(crypto::new_private_key(crypto::KeyType::EcdsaP256)->view());
  BOOST_TEST(has(errors_of(text_with(other, "")), "is not the key of the certificate"));
  BOOST_TEST(has(errors_of(text_with(right, "/etc/passphrase")), "is for an encrypted private-key, and it is not: leave it out"));
  BOOST_TEST(has(errors_of(text_with(crypto::to_pem(crypto::kSealedKeyLabel, Bytes{1, 0, 9, 9}), "")),
                 "is not a sealed private key that can be read"));
  BOOST_TEST(has(errors_of(text_with(crypto::to_pem(crypto::kSealedKeyLabel, Bytes{2, 0, 9, 9}), "")), "is sealed in version 2"));
}

BOOST_AUTO_TEST_SUITE_END()
