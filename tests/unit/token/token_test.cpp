// SPDX-License-Identifier: Apache-2.0
// Keys on PKCS#11 tokens: with SoftHSM what has to work, with a module of our own what must not do harm.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "config/document.h"
#include "crypto/token_uri.h"
#include "signer/client.h"
#include "signer/token_service.h"
#include "signer/token_signer.h"
#include "support/forked.h"
#include "support/pki.h"
#include "support/temporary_folder.h"

using namespace svti;
using signer::Started;
using signer::TokenSigner;

namespace {

constexpr const char* kSoftHsm = "/usr/lib/softhsm/libsofthsm2.so";

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

using test::forked;

void run(const std::string& command) {
  BOOST_TEST_INFO(command);
  BOOST_TEST_REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
}

struct Rig {
  test::TemporaryFolder folder;
  boost::asio::io_context loop{1};
  std::vector<std::string> log;
  int starts = 0;
  signer::Client others{loop, [] { return forked(+[](int socket) { return signer::serve(socket, ""); }); }, {}};
  TokenSigner signer;
  std::optional<Result<crypto::Signature>> answer;

  explicit Rig(signer::TokenClient::Limits limits = {})
      : signer(
            loop, others,
            [this] {
              ++starts;
              return forked(signer::serve_token);
            },
            limits, [this](const LogLine& line) { log.push_back(line.text); }) {}

  template <typename Until>
  void wait(Until until) {
    for (int i = 0; i < 6000 && !until(); ++i) loop.run_for(std::chrono::milliseconds(5));
    BOOST_TEST_REQUIRE(until());
  }
  void ask(const Bytes& id,
           std::vector<crypto::SignatureHash> hashes = {crypto::SignatureHash::Sha256, crypto::SignatureHash::Sha384,
                                                        crypto::SignatureHash::Sha512, crypto::SignatureHash::Identity},
           crypto::RsaPadding padding = crypto::RsaPadding::Pss) {
    answer.reset();
    signer.sign({id, Bytes(1000, 3), std::move(hashes), padding}, [this](Result<crypto::Signature> one) { answer = std::move(one); });
    wait([&] { return answer.has_value(); });
  }
  std::string refusal(const Bytes& id) {
    ask(id);
    return answer->has_value() ? "it has signed" : answer->error().message;
  }
  // the state, once it is settled
  std::string problem(const Bytes& id) {
    wait([&] { return signer.state(id).problem != "it is being looked for"; });
    return signer.state(id).problem;
  }
  bool verified(const Bytes& public_key) const {
    return answer->has_value() && crypto::VerifyingKey::from_spki(public_key)->verify(**answer, Bytes(1000, 3)).has_value();
  }
};

struct TestKey {
  Bytes id, public_key;
  std::string pem;
};
TestKey new_key(crypto::KeyType type) {
  const Secret pkcs8 = test::need(crypto::new_private_key(type, 2048));
  TestKey out;
  out.public_key = test::need(crypto::SigningKey::from_pkcs8(pkcs8.view())).public_key();
  out.id = test::need(crypto::key_id_of_spki(out.public_key));
  out.pem = crypto::to_pem("PRIVATE KEY", pkcs8.view());
  return out;
}

std::shared_ptr<const model::PrivateKey> on_token(const TestKey& key, const std::string& uri, std::string_view pin, bool told = true) {
  auto token = std::make_shared<model::TokenKey>();
  const auto parsed = test::need(crypto::parse_token_uri(uri));
  token->uri = parsed.text;
  token->place = parsed.place;
  token->pin = Secret(as_bytes(pin));
  token->source = "certificate gw private-key-uri";
  if (told) token->public_key = key.public_key;
  auto out = std::make_shared<model::PrivateKey>();
  out->id = key.id;
  out->token = std::move(token);
  return out;
}

// SoftHSM with a token `vault` (PIN 1234) in the folder of the rig
struct Vault {
  explicit Vault(const Rig& rig) : rig_(rig) {
    std::ofstream(rig.folder.file("softhsm2.conf"))
        << "directories.tokendir = " << rig.folder.file("tokens") << "\nobjectstore.backend = file\n";
    run("mkdir -p " + rig.folder.file("tokens"));
    setenv("SOFTHSM2_CONF", rig.folder.file("softhsm2.conf").c_str(), 1);
    run("softhsm2-util --init-token --free --label vault --pin 1234 --so-pin 4321");
    open();
  }
  void add(const TestKey& key, const std::string& id) {
    std::ofstream(rig_.folder.file("key.pem")) << key.pem;
    run("softhsm2-util --import " + rig_.folder.file("key.pem") + " --token vault --label key-" + id + " --id " + id + " --pin 1234");
    open();
  }
  // for the user that the process becomes when the test is root
  void open() { run("chmod -R a+rwX " + rig_.folder.file(".")); }
  const Rig& rig_;
};

std::string soft(const std::string& id, const std::string& token = "vault") {
  return "pkcs11:token=" + token + ";id=%" + id + "?module-path=" + kSoftHsm;
}

// the module of our own
struct Fake {
  Fake(const Rig& rig, const std::string& mode)
      : key(new_key(crypto::KeyType::Rsa)), log(rig.folder.file("logins")), module(rig.folder.file("fake.so")) {
    setenv("SVTI_FAKE", mode.c_str(), 1);
    setenv("SVTI_FAKE_KEY", rig.folder.file("fake.pem").c_str(), 1);
    setenv("SVTI_FAKE_LOG", log.c_str(), 1);
    std::ofstream(rig.folder.file("fake.pem")) << key.pem;
    std::ofstream(log).flush();
    run("chmod -R a+rwX " + rig.folder.file("."));
    // where the process reaches it, whoever it becomes
    run("cp " SVTI_FAKE_TOKEN " " + module + " && chmod 755 " + module);
  }
  int logins() const {
    std::ifstream in(log);
    int out = 0;
    for (std::string line; std::getline(in, line);) ++out;
    return out;
  }
  std::shared_ptr<const model::PrivateKey> private_key(std::string_view pin = "1234", bool told = true) const {
    return on_token(key, "pkcs11:token=fake;object=any?module-path=" + module, pin, told);
  }
  TestKey key;
  std::string log, module;
};

constexpr signer::TokenClient::Limits kShort{std::chrono::milliseconds(1500), std::chrono::milliseconds(400),
                                             std::chrono::milliseconds(400)};

}  // namespace

BOOST_AUTO_TEST_SUITE(tokens)

BOOST_AUTO_TEST_CASE(uris_say_which_token_and_which_key_and_never_the_pin) {
  const auto uri = crypto::parse_token_uri("pkcs11:token=vault;id=%01%02;type=private?module-path=/m.so&pin-source=file:/etc/pin");
  BOOST_TEST_REQUIRE(uri.has_value());
  BOOST_TEST(uri->pin_source == "/etc/pin");
  BOOST_TEST(!has(uri->text, "pin"));
  BOOST_TEST(has(uri->text, "m.so"), uri->text);
  BOOST_TEST(uri->place == crypto::parse_token_uri("pkcs11:object=other;token=vault?module-path=/m.so")->place);
  BOOST_TEST(uri->place != crypto::parse_token_uri("pkcs11:id=%01%02;token=safe?module-path=/m.so")->place);
  const auto error = [](std::string_view text) { return crypto::parse_token_uri(text).error().message; };
  BOOST_TEST(has(error("pkcs11:id=%01?pin-value=1234"), "holds the PIN itself: put it into a file"));
  BOOST_TEST(!has(error("pkcs11:id=%01?pin-value=1234"), "1234"));
  BOOST_TEST(has(error("pkcs11:token=vault"), "does not say which key"));
  BOOST_TEST(has(error("pkcs11:id=%01;type=cert"), "not about a private key"));
  BOOST_TEST(has(error("pkcs11:id=%0"), "is not a PKCS#11 URI"));
  BOOST_TEST(has(error("http://id"), "is not a PKCS#11 URI"));
  BOOST_TEST(has(error("pkcs11:id=%01;colour=red"), "an attribute that is not known"));
  BOOST_TEST(has(error("pkcs11:id=%01?pin-source=|cat"), "not the path of a file"));
  BOOST_TEST(has(error("pkcs11:id=%01?module-path=m.so"), "module-path that does not begin with /"));
  BOOST_TEST(has(error("pkcs11:object=" + std::string(3000, 'x')), "more than 2048 octets"));
  const auto made = crypto::token_uri_of(Bytes{0xab, 1}, "5", "softhsm");
  BOOST_TEST_REQUIRE(made.has_value());
  const auto again = crypto::parse_token_uri(*made);
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(has(again->place, "slot-id=5"));
  BOOST_TEST(has(again->place, "module-name=softhsm"));
  BOOST_TEST(!crypto::token_uri_of({}, "", "").has_value());
  BOOST_TEST(!crypto::token_uri_of(Bytes{1}, "five", "").has_value());
}

BOOST_AUTO_TEST_CASE(every_kind_of_key_signs_and_openssl_verifies) {
  Rig rig;
  Vault vault(rig);
  using crypto::KeyType;
  const std::array types = {KeyType::Rsa, KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519};
  std::vector<TestKey> keys;
  std::vector<std::shared_ptr<const model::PrivateKey>> all;
  for (std::size_t i = 0; i < types.size(); ++i) {
    keys.push_back(new_key(types[i]));
    const std::string id = "0" + std::to_string(i + 1);
    vault.add(keys.back(), id);
    all.push_back(on_token(keys.back(), soft(id), "1234"));
  }
  rig.signer.set_keys(all);
  for (const TestKey& key : keys) {
    rig.ask(key.id);
    BOOST_TEST_REQUIRE(rig.answer->has_value(), rig.answer->error().message);
    BOOST_TEST(rig.verified(key.public_key));
    BOOST_TEST(rig.signer.state(key.id).place == "token vault");
    BOOST_TEST(rig.problem(key.id).empty());
  }
  BOOST_TEST(crypto::VerifyingKey::describe(**rig.answer) == "Ed25519");
  // RSA in all its ways, and without RFC 7427
  rig.ask(keys[0].id);
  BOOST_TEST(crypto::VerifyingKey::describe(**rig.answer) == "RSASSA-PSS with SHA-256");
  rig.ask(keys[0].id, {crypto::SignatureHash::Sha512});
  BOOST_TEST(crypto::VerifyingKey::describe(**rig.answer) == "RSASSA-PSS with SHA-512");
  BOOST_TEST(rig.verified(keys[0].public_key));
  rig.ask(keys[0].id, {crypto::SignatureHash::Sha384}, crypto::RsaPadding::Pkcs1);
  BOOST_TEST(crypto::VerifyingKey::describe(**rig.answer) == "RSASSA-PKCS1-v1_5 with SHA-384");
  BOOST_TEST(rig.verified(keys[0].public_key));
  for (const std::size_t one : {0, 1, 2}) {
    rig.ask(keys[one].id, {});
    BOOST_TEST(rig.verified(keys[one].public_key));
  }
  rig.ask(keys[3].id, {});
  BOOST_TEST(has(rig.answer->error().message, "does not know RFC 7427"));
  BOOST_TEST(rig.starts == 1);
}

BOOST_DATA_TEST_CASE(a_key_whose_certificate_nobody_gave_is_told_by_the_token, boost::unit_test::data::xrange(3), number) {
  const auto type =
      std::array{crypto::KeyType::Rsa, crypto::KeyType::EcdsaP384, crypto::KeyType::Ed25519}.at(static_cast<std::size_t>(number));
  Rig rig;
  Vault vault(rig);
  const TestKey key = new_key(type);
  vault.add(key, "0a");
  std::optional<Result<auth::TokenKeyFound>> found;
  rig.signer.find_on_token(on_token(key, soft("0a"), "1234", false)->token, [&](auto one) { found = std::move(one); });
  rig.wait([&] { return found.has_value(); });
  BOOST_TEST_REQUIRE(found->has_value(), found->error().message);
  BOOST_TEST((*found)->public_key == key.public_key);
  BOOST_TEST((*found)->label == "vault");
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_said_and_may_come_later) {
  Rig rig;
  Vault vault(rig);
  const TestKey key = new_key(crypto::KeyType::EcdsaP256), other = new_key(crypto::KeyType::EcdsaP256);
  vault.add(other, "02");
  rig.signer.set_keys({on_token(key, soft("01"), "1234")});
  BOOST_TEST(has(rig.problem(key.id), "token vault has no such private key: mend id or object of the URI"));
  BOOST_TEST_REQUIRE(!rig.log.empty());
  BOOST_TEST(rig.log.front().starts_with("certificate gw private-key-uri: cannot be used: token vault has no such"));
  BOOST_TEST(has(rig.refusal(key.id), "has no such private key"));
  rig.signer.set_keys({on_token(key, soft("02"), "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "does not fit the public key: it is another key"));
  rig.signer.set_keys({on_token(key, soft("01", "safe"), "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "no token fits: put it in, or mend the URI (there is vault)"));
  rig.signer.set_keys({on_token(key, "pkcs11:id=%01?module-path=/nowhere/m.so", "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "module /nowhere/m.so cannot be found"));
  rig.signer.set_keys({on_token(key, "pkcs11:id=%01?module-path=" + rig.folder.file("softhsm2.conf"), "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "can be written by others: chmod go-w it"));
  rig.signer.set_keys({on_token(key, "pkcs11:id=%01?module-name=nosuch", "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "there is no module nosuch in p11-kit's configuration"));
  rig.signer.set_keys({on_token(key, soft("03"), "")});
  BOOST_TEST(has(rig.refusal(key.id), "wants a PIN: put it into a file"));
  rig.signer.set_keys({on_token(key, soft("03"), "1234")});
  BOOST_TEST(has(rig.refusal(key.id), "has no such private key"));
  vault.add(key, "03");
  rig.ask(key.id);
  BOOST_TEST(rig.verified(key.public_key));
  rig.signer.set_keys({});
  BOOST_TEST(rig.refusal(key.id) == "the signer has no such key");
}

BOOST_AUTO_TEST_CASE(a_wrong_pin_is_tried_once) {
  Rig rig(kShort);
  const Fake fake(rig, "");
  rig.signer.set_keys({fake.private_key("9999")});
  BOOST_TEST(has(rig.problem(fake.key.id), "token fake refuses the login: the PIN is wrong: it is not tried again before"));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(has(rig.refusal(fake.key.id), "the PIN was refused"));
    rig.signer.set_keys({fake.private_key("9999")});
  }
  // nor when it was away meanwhile, nor in another process
  rig.signer.set_keys({});
  rig.signer.set_keys({fake.private_key("9999")});
  BOOST_TEST(has(rig.refusal(fake.key.id), "the PIN was refused"));
  BOOST_TEST(fake.logins() == 1);
  rig.signer.set_keys({fake.private_key("1234")});
  BOOST_TEST(rig.problem(fake.key.id) == "");
  rig.ask(fake.key.id);
  BOOST_TEST(rig.verified(fake.key.public_key));
  BOOST_TEST(fake.logins() == 2);
  for (const std::string& line : rig.log) BOOST_TEST(!has(line, "9999"));
}

BOOST_AUTO_TEST_CASE(the_last_try_is_not_taken) {
  for (const auto& [mode, why] :
       {std::pair("final-try", "has one try left, which is not taken"), std::pair("locked", "is locked: unlock it")}) {
    Rig rig;
    const Fake fake(rig, mode);
    rig.signer.set_keys({fake.private_key()});
    BOOST_TEST(has(rig.problem(fake.key.id), why));
    BOOST_TEST(fake.logins() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_token_without_pss_pads_as_pkcs1) {
  Rig rig;
  const Fake fake(rig, "");
  rig.signer.set_keys({fake.private_key()});
  rig.ask(fake.key.id);
  BOOST_TEST(rig.verified(fake.key.public_key));
  BOOST_TEST(crypto::VerifyingKey::describe(**rig.answer) == "RSASSA-PKCS1-v1_5 with SHA-256");
}

BOOST_AUTO_TEST_CASE(a_module_that_lies_is_found_out) {
  const std::pair<const char*, const char*> lies[] = {
      {"huge-objects", "finds more objects than were asked for"},
      {"endless-signature", "its module is broken"},
      {"short-signature", "has 17 octets and not 256"},
      {"wrong-signature", "does not fit the public key"},
      {"no-mechanism", "does not sign by RSA PKCS#1 (CKM_RSA_PKCS)"},
      {"huge-attribute", "does not tell the public half"},
  };
  for (const auto& [mode, why] : lies) {
    BOOST_TEST_CONTEXT(mode) {
      Rig rig;
      const Fake fake(rig, mode);
      rig.signer.set_keys({fake.private_key("1234", std::string_view(mode) != "huge-attribute")});
      const std::string problem = rig.problem(fake.key.id);
      BOOST_TEST(has(problem, why), problem);
    }
  }
  // what is too large is cut, and good enough
  Rig rig;
  const Fake fake(rig, "huge-slots");
  rig.signer.set_keys({fake.private_key()});
  rig.ask(fake.key.id);
  BOOST_TEST_INFO(rig.signer.state(fake.key.id).problem);
  BOOST_TEST(rig.answer.has_value());
}

BOOST_AUTO_TEST_CASE(a_module_that_hangs_costs_one_wait) {
  Rig rig(kShort);
  const Fake fake(rig, "hang-sign");
  rig.signer.set_keys({fake.private_key()});
  BOOST_TEST(rig.problem(fake.key.id).empty());
  // three at a time: one wait for all, and the loop goes on meanwhile
  std::vector<std::string> answers;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    rig.signer.sign({fake.key.id, Bytes(10), {crypto::SignatureHash::Sha256}, crypto::RsaPadding::Pkcs1},
                    [&](Result<crypto::Signature> one) { answers.push_back(one ? "signed" : one.error().message); });
  }
  BOOST_TEST(answers.empty());
  rig.wait([&] { return answers.size() == 3; });
  BOOST_TEST((std::chrono::steady_clock::now() - begun < 2 * kShort.answer));
  for (const std::string& one : answers) BOOST_TEST(has(one, "no answer within 1500 ms"), one);
  BOOST_TEST(has(rig.signer.state(fake.key.id).problem, "no answer within"));
  // not at once again
  BOOST_TEST(has(rig.refusal(fake.key.id), "it is not started again for"));
  BOOST_TEST(rig.starts == 1);
  // the PIN was taken before it hung: it is good for the next time, once the pause is over
  setenv("SVTI_FAKE", "", 1);
  rig.wait([&] {
    rig.ask(fake.key.id);
    return rig.answer->has_value();
  });
  BOOST_TEST(rig.verified(fake.key.public_key));
  BOOST_TEST(rig.starts == 2);
  BOOST_TEST(rig.signer.state(fake.key.id).problem.empty());
}

BOOST_DATA_TEST_CASE(a_pin_whose_try_has_no_outcome_is_not_tried_again, boost::unit_test::data::make({"hang-login", "die-in-login"}),
                     mode) {
  Rig rig(kShort);
  const Fake fake(rig, mode);
  rig.signer.set_keys({fake.private_key()});
  BOOST_TEST(has(rig.problem(fake.key.id), "the token's process has ended"));
  for (int i = 0; i < 3; ++i) {
    rig.loop.run_for(std::chrono::milliseconds(500));
    BOOST_TEST(has(rig.refusal(fake.key.id), "the PIN was refused"));
  }
  BOOST_TEST(fake.logins() == 1);
}

BOOST_AUTO_TEST_CASE(a_process_that_dies_is_started_again_when_it_is_needed) {
  Rig rig(kShort);
  const Fake fake(rig, "die-sign");
  rig.signer.set_keys({fake.private_key()});
  BOOST_TEST(rig.problem(fake.key.id).empty());
  const std::string death = rig.refusal(fake.key.id);
  BOOST_TEST(has(death, "signal 9 (Killed)"), death);
  BOOST_TEST(has(rig.refusal(fake.key.id), "it is not started again for"));
  setenv("SVTI_FAKE", "session-lost", 1);
  rig.loop.run_for(std::chrono::milliseconds(600));
  BOOST_TEST(rig.starts == 1);
  // a session that fails ends the process too, and the next one who asks has another
  BOOST_TEST(has(rig.refusal(fake.key.id), "does not begin to sign by RSA PKCS#1"));
  setenv("SVTI_FAKE", "", 1);
  rig.loop.run_for(std::chrono::milliseconds(600));
  rig.ask(fake.key.id);
  BOOST_TEST(rig.verified(fake.key.public_key));
  BOOST_TEST(rig.starts == 3);
}

BOOST_AUTO_TEST_CASE(other_keys_stay_with_the_signer) {
  Rig rig;
  const Fake fake(rig, "hang-slots");
  const test::Holder holder{test::need(crypto::new_private_key(crypto::KeyType::EcdsaP256)), {}};
  const auto plain = test::private_key(holder);
  rig.signer.set_keys({fake.private_key(), plain});
  rig.ask(plain->id);
  BOOST_TEST(rig.answer->has_value());
  BOOST_TEST(rig.signer.state(plain->id).place == "signer");
  BOOST_TEST(rig.signer.state(fake.key.id).problem == "it is being looked for");
}

#if !defined(__SANITIZE_ADDRESS__)
BOOST_AUTO_TEST_CASE(its_process_has_no_network_no_programs_and_no_other_process) {
  const auto attempts = {
      +[] { return socket(AF_INET, SOCK_STREAM, 0); },
      +[] { return socket(AF_NETLINK, SOCK_RAW, 0); },
      +[] { return static_cast<int>(fork()); },
      +[] {
        char* none[] = {nullptr};
        return execve("/bin/true", none, none);
      },
      +[] { return kill(getppid(), 0); },
      +[] { return setuid(0) == 0 && geteuid() == 0 && getuid() != 0 ? 0 : -1; },
  };
  for (const auto& attempt : attempts) {
    const auto child = forked([&](int socket) { return signer::enter_token_sandbox(socket) ? attempt() == -1 ? 7 : 2 : 1; });
    int status = 0;
    BOOST_TEST_REQUIRE(waitpid(child->process, &status, 0) == child->process);
    close(child->socket);
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 7);
  }
  // while the socket of pcscd, and files, are there
  const auto child = forked([&](int socket) {
    if (!signer::enter_token_sandbox(socket)) return 1;
    return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && access("/etc/passwd", R_OK) == 0 && (getuid() != 0) ? 7 : 2;
  });
  int status = 0;
  BOOST_TEST_REQUIRE(waitpid(child->process, &status, 0) == child->process);
  close(child->socket);
  BOOST_TEST(WEXITSTATUS(status) == 7);
}
#endif

BOOST_AUTO_TEST_CASE(a_daemon_gone_mad_gets_no_further) {
  const auto child = forked(signer::serve_token);
  for (const Bytes& packet : {Bytes{0}, Bytes{16}, Bytes{16, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255}, Bytes{1, 1, 1, 1}, Bytes(90'000, 16)})
    BOOST_TEST(send(child->socket, packet.data(), packet.size(), 0) == static_cast<ssize_t>(packet.size()));
  const Secret question = encode(signer::TokenRequest(signer::OpenKey{5, {1}, "pkcs11:id=%01?module-path=/etc/passwd", {}, {}}));
  BOOST_TEST(send(child->socket, question.view().data(), question.size(), 0) > 0);
  Bytes answer(2000);
  const ssize_t size = recv(child->socket, answer.data(), answer.size(), 0);
  BOOST_TEST_REQUIRE(size > 0);
  const auto said = signer::decode_token_answer(ByteView(answer).first(static_cast<std::size_t>(size)));
  BOOST_TEST_REQUIRE(said.has_value());
  BOOST_TEST(said->number == 5);
  BOOST_TEST(has(said->result.error().message, "module /etc/passwd cannot be loaded"));
  close(child->socket);
  int status = 0;
  BOOST_TEST(waitpid(child->process, &status, 0) == child->process);
  BOOST_TEST(WIFEXITED(status));
}

BOOST_AUTO_TEST_CASE(the_configuration_names_the_key_and_the_file_of_its_pin) {
  const test::TemporaryFolder folder;
  const test::Holder holder = test::new_root("CN=gw");
  const std::string pem = crypto::to_pem("CERTIFICATE", holder.certificate);
  const std::string pin = folder.file("pin");
  std::ofstream(pin) << "1234\n";
  BOOST_TEST_REQUIRE(chmod(pin.c_str(), 0600) == 0);
  const auto parse = [&](const std::string& leaves) {
    return config::Document::parse("ike\ncertificate gw\ncertificate \"" + pem + "\"\n" + leaves + "..\n..\n", "f");
  };
  const auto said = [&](const std::string& leaves) {
    const auto parsed = parse(leaves);
    std::string out;
    for (const auto& one : parsed ? parsed->warnings() : parsed.error()) out += one.to_string() + "\n";
    return out;
  };
  const std::string uri = "private-key-uri \"pkcs11:token=vault;id=%01?module-path=/m.so";
  for (const std::string& leaves : {uri + "&pin-source=file:" + pin + "\"\n", uri + "\"\nprivate-key-passphrase-file " + pin + "\n"}) {
    const auto parsed = parse(leaves);
    BOOST_TEST_REQUIRE(parsed.has_value());
    const model::Configuration& made = *parsed->resolved()->vrfs.at("main").ike;
    BOOST_TEST_REQUIRE(made.private_keys.size() == 1U);
    const model::PrivateKey& key = *made.private_keys.front();
    BOOST_TEST(key.id == made.certificates.front()->key_id);
    BOOST_TEST_REQUIRE(key.token != nullptr);
    BOOST_TEST(as_text(key.token->pin.view()) == "1234");
    BOOST_TEST(key.token->source == "certificate gw private-key-uri");
    BOOST_TEST(crypto::key_id_of_spki(key.token->public_key).value() == key.id);
    BOOST_TEST(!has(parsed->print({true, true, false, "ike"}).value(), "1234"));
  }
  BOOST_TEST(has(said(""), "certificate gw: lacks a private key: give private-key or private-key-uri"));
  BOOST_TEST(has(said(uri + "&pin-value=1234\"\n"), "certificate gw private-key-uri: holds the PIN itself"));
  BOOST_TEST(has(said(uri + "&pin-source=" + pin + "\"\nprivate-key-passphrase-file " + pin + "\n"), "leave one out"));
  BOOST_TEST(has(said("private-key-uri http://x\n"), "a pkcs11: URI"));
  BOOST_TEST(has(said(uri + "\"\nprivate-key \"" + crypto::to_pem("PRIVATE KEY", holder.key.view()) + "\"\n"), "give one of them"));
  BOOST_TEST_REQUIRE(chmod(pin.c_str(), 0644) == 0);
  BOOST_TEST(has(said(uri + "&pin-source=" + pin + "\"\n"), "chmod 600 it"));
}

BOOST_AUTO_TEST_SUITE_END()
