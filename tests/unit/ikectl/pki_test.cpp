// SPDX-License-Identifier: Apache-2.0
// `ikectl pki` as a user runs it; what it makes is looked at by the openssl program as well.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "support/temporary_folder.h"

using namespace svti;

namespace {

struct Outcome {
  int code = -1;
  std::string out;  // standard output and standard error
};

struct Folder {
  test::TemporaryFolder folder;

  Outcome run(const std::string& command) const {
    FILE* pipe = popen(("cd " + folder.file("") + " && LC_ALL=C.UTF-8 timeout 60 " + command + " 2>&1").c_str(), "r");
    BOOST_REQUIRE(pipe != nullptr);
    Outcome outcome;
    char octets[4096];
    for (std::size_t size; (size = fread(octets, 1, sizeof octets, pipe)) > 0;) outcome.out.append(octets, size);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }
  Outcome pki(const std::string& words) const { return run(IKECTL " pki " + words); }
  void authority() const { BOOST_REQUIRE(pki("ca --subject 'C=CH, O=Example, CN=Example CA' --out ca").code == 0); }
  void issue(const std::string& name, const std::string& more = "") const {
    const Outcome made = pki("issue --ca ca.pem --ca-key ca.key --subject CN=" + name + " --out " + name + " " + more);
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.out);
  }
  std::string read(const std::string& name) const {
    std::ifstream in(folder.file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

bool says(const Outcome& outcome, std::string_view part) {
  BOOST_TEST_INFO(outcome.out);
  return outcome.out.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pki)

BOOST_AUTO_TEST_CASE(openssl_takes_what_was_issued_and_refuses_what_was_revoked) {
  const Folder f;
  f.authority();
  for (const char* kind : {"rsa-2048", "ecdsa-p384", "ed25519"})
    f.issue(kind, std::string("--san gw.example.net --san 192.0.2.1 --key ") + kind);
  BOOST_TEST(f.run("openssl verify -CAfile ca.pem rsa-2048.pem ecdsa-p384.pem ed25519.pem").code == 0);
  BOOST_TEST(says(f.run("openssl x509 -in ed25519.pem -noout -ext subjectAltName"), "DNS:gw.example.net, IP Address:192.0.2.1"));
  BOOST_TEST(says(f.pki("crl ed25519.pem --ca ca.pem --ca-key ca.key --out ca.crl"), "1 revoked (1 new)"));
  BOOST_TEST(says(f.pki("crl rsa-2048.pem --ca ca.pem --ca-key ca.key --out ca.crl"), "list 2, 2 revoked (1 new)"));
  BOOST_TEST(says(f.run("openssl verify -crl_check -CRLfile ca.crl -CAfile ca.pem ed25519.pem"), "certificate revoked"));
  BOOST_TEST(f.run("openssl verify -crl_check -CRLfile ca.crl -CAfile ca.pem ecdsa-p384.pem").code == 0);
  BOOST_TEST(f.pki("verify ecdsa-p384.pem --ca ca.pem --crl ca.crl --revocation strict").code == 0);
  const Outcome revoked = f.pki("verify rsa-2048.pem --ca ca.pem --crl ca.crl");
  BOOST_TEST(revoked.code == 1);
  BOOST_TEST(says(revoked, "\"CN=rsa-2048\" was revoked on"));
}

BOOST_AUTO_TEST_CASE(requests_go_to_any_authority_and_come_from_anybody) {
  const Folder f;
  f.authority();
  BOOST_TEST(f.pki("request --subject 'C=CH, CN=gw' --san gw.example.net --san 192.0.2.1 --out gw").code == 0);
  const Outcome seen = f.run("openssl req -in gw.csr -noout -verify -text");
  BOOST_TEST(says(seen, "verify OK"));
  BOOST_TEST(says(seen, "DNS:gw.example.net, IP Address:192.0.2.1"));
  struct stat found {};
  BOOST_REQUIRE(stat(f.folder.file("gw.key").c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 0777) == 0600U);
  BOOST_TEST(says(f.pki("request --subject CN=gw --out gw"), "gw.csr is there already"));

  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --request gw.csr --out gw"), "gw.pem: C=CH, CN=gw"));
  BOOST_TEST(says(f.run("openssl x509 -in gw.pem -noout -subject -ext subjectAltName"), "DNS:gw.example.net, IP Address:192.0.2.1"));
  BOOST_TEST(f.pki("verify gw.pem --ca ca.pem").code == 0);
  BOOST_TEST(f.pki("config gw --certificate gw.pem --key gw.key --ca ca.pem").code == 0);
  // what openssl asks for, with names of the authority's choosing
  BOOST_TEST(f.run("openssl req -new -newkey rsa:2048 -nodes -keyout other.key -subj /CN=other -addext subjectAltName=DNS:other.example "
                   "-out other.csr")
                 .code == 0);
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --request other.csr --subject CN=chosen --san chosen.example --out chosen"),
                  "CN=chosen"));
  BOOST_TEST(says(f.run("openssl x509 -in chosen.pem -noout -ext subjectAltName"), "DNS:chosen.example"));

  // a request that somebody changed, what is none, and neither
  std::string changed = f.read("other.csr");
  BOOST_TEST(f.run("openssl req -in other.csr -outform DER -out other.der && printf '\\377' | dd of=other.der bs=1 seek=200 conv=notrunc "
                   "status=none")
                 .code == 0);
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --request other.der --out no"), "other.der: is "));
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --request ca.pem --out no"), "is not a request for a certificate (PKCS#10)"));
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --out no"), "--subject is missing"));
  BOOST_TEST(access(f.folder.file("no.pem").c_str(), F_OK) != 0);
  BOOST_TEST(says(f.pki("request --sealed --subject CN=gw --out sealed --socket " + f.folder.file("nowhere")), "svti-iked"));
}

BOOST_AUTO_TEST_CASE(a_delta_has_what_was_revoked_since_its_base) {
  const Folder f;
  f.authority();
  for (const char* name : {"alice", "bob", "carol"}) f.issue(name, "--freshest-crl-uri http://crl.example.net/delta.crl");
  const std::string by = " --ca ca.pem --ca-key ca.key ";
  BOOST_TEST(f.pki("crl alice.pem --freshest-crl-uri http://crl.example.net/delta.crl --out ca.crl" + by).code == 0);
  BOOST_TEST(
      says(f.pki("crl alice.pem bob.pem --delta-of ca.crl --days 1 --out delta.crl" + by), "list 2, delta of list 1, 1 revoked (1 new)"));
  BOOST_TEST(says(f.pki("crl carol.pem --delta-of ca.crl --days 1 --out delta.crl" + by), "list 3, delta of list 1, 2 revoked (1 new)"));
  // openssl sees the same, marked critical (RFC 5280 5.2.4)
  const Outcome seen = f.run("openssl crl -in delta.crl -noout -text -CAfile ca.pem");
  for (const char* part :
       {"X509v3 CRL Number: \n                3", "X509v3 Delta CRL Indicator: critical\n                1", "verify OK"})
    BOOST_TEST(says(seen, part));
  BOOST_TEST(!says(seen, "Freshest CRL"));  // 5.2.6: a delta has no delta
  BOOST_TEST(says(f.run("openssl crl -in ca.crl -noout -text"),
                  "X509v3 Freshest CRL: \n                Full Name:\n                  URI:http://crl.example.net/delta.crl"));
  BOOST_TEST(says(f.run("openssl x509 -in bob.pem -noout -ext freshestCRL"), "URI:http://crl.example.net/delta.crl"));
  BOOST_TEST(says(f.pki("verify bob.pem --ca ca.pem --crl ca.crl delta.crl"), "was revoked on"));
  BOOST_TEST(f.pki("verify bob.pem --ca ca.pem --crl ca.crl").code == 0);
  BOOST_TEST(says(f.run("openssl verify -crl_check -use_deltas -CRLfile ca.crl -CRLfile delta.crl -CAfile ca.pem carol.pem"),
                  "certificate revoked"));
  // shown
  BOOST_TEST(says(f.pki("show delta.crl"), "revocation list 3, delta of list 1, of"));
  BOOST_TEST(says(f.pki("show ca.crl"), "deltas at http://crl.example.net/delta.crl"));
  BOOST_TEST(says(f.pki("show bob.pem"), "freshest-crl-uri   http://crl.example.net/delta.crl"));
  BOOST_TEST(nlohmann::json::parse(f.pki("show delta.crl --json").out).at("delta-of") == 1);
  BOOST_TEST(nlohmann::json::parse(f.pki("show bob.pem --json").out).at(0).at("freshest-crl-uris").at(0) ==
             "http://crl.example.net/delta.crl");
  // the next list takes the delta up, and says still where deltas are; the next delta begins anew
  BOOST_TEST(says(f.pki("crl --with-delta delta.crl --out ca.crl" + by), "list 4, 3 revoked (2 new)"));
  BOOST_TEST(says(f.pki("show ca.crl"), "deltas at http://crl.example.net/delta.crl"));
  BOOST_TEST(says(f.pki("crl --delta-of ca.crl --out delta.crl" + by), "list 5, delta of list 4, 0 revoked (0 new)"));
  // what does not fit
  BOOST_TEST(says(f.pki("crl --delta-of delta.crl --out x.crl" + by), "delta.crl is a delta itself"));
  BOOST_TEST(says(f.pki("crl --out delta.crl" + by), "delta.crl is a delta: give --delta-of"));
  BOOST_TEST(says(f.pki("crl --delta-of ca.crl --out ca.crl" + by), "ca.crl is no delta"));
  BOOST_TEST(f.pki("crl --delta-of ca.crl --freshest-crl-uri http://x/ --out x.crl" + by).code == 2);
}

BOOST_AUTO_TEST_CASE(private_keys_are_their_owners_alone_and_nothing_is_replaced_unasked) {
  const Folder f;
  f.authority();
  struct stat found {};
  BOOST_REQUIRE(stat(f.folder.file("ca.key").c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 0777) == 0600U);
  const std::string before = f.read("ca.key");
  const Outcome again = f.pki("ca --subject CN=x --out ca");
  BOOST_TEST(again.code == 1);
  BOOST_TEST(says(again, "ca.pem is there already: name another with --out, or give --force"));
  BOOST_TEST(f.read("ca.key") == before);
  BOOST_TEST(f.pki("ca --subject CN=x --out ca --force").code == 0);
  BOOST_TEST(f.read("ca.key") != before);
  BOOST_TEST(says(f.pki("ca --subject CN=x --out missing/ca"), "cannot write missing/ca.key.new: No such file"));
}

BOOST_AUTO_TEST_CASE(wrong_files_and_words_are_named) {
  const Folder f;
  f.authority();
  f.issue("gw");
  BOOST_TEST(says(f.pki("show nothing.pem"), "cannot open nothing.pem"));
  std::ofstream(f.folder.file("text")) << "hello\n";
  BOOST_TEST(says(f.pki("show text"), "text: is not an X.509 certificate"));
  BOOST_TEST(says(f.pki("issue --ca gw.pem --ca-key gw.key --subject CN=x --out x"), "is no authority's"));
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key gw.key --subject CN=x --out x"), "not that of the authority"));
  BOOST_TEST(says(f.pki("issue --ca ca.pem --ca-key ca.key --subject CN=x --san 'a b' --out x"), "\"a b\" is no alternative name"));
  BOOST_TEST(says(f.pki("config gw --certificate gw.pem --key ca.key"), "ca.key is not the key of gw.pem"));
  BOOST_TEST(says(f.pki("crl ca.pem --ca gw.pem --ca-key gw.key --out x"), "was not issued by gw.pem"));
  BOOST_TEST(f.pki("issue --subject CN=x --out x").code == 2);
}

BOOST_AUTO_TEST_CASE(show_and_config_tell_what_the_files_hold) {
  const Folder f;
  f.authority();
  f.issue("gw", "--san ops@example.net --days 20 --crl-uri http://crl.example.net/ca.crl --ocsp-uri http://ocsp.example.net/");
  const auto json = nlohmann::json::parse(f.pki("show gw.pem --json").out);
  BOOST_TEST(json.at(0).at("subject") == "CN=gw");
  BOOST_TEST(json.at(0).at("alternative-names").at(0) == "ops@example.net");
  BOOST_TEST(json.at(0).at("crl-uris").at(0) == "http://crl.example.net/ca.crl");
  BOOST_TEST(json.at(0).at("ocsp-uris").at(0) == "http://ocsp.example.net/");
  const Outcome shown = f.pki("show gw.pem");
  BOOST_TEST((says(shown, "20 days left") || says(shown, "19 days left")));  // the latter once a second of the first day is over
  const Outcome config = f.pki("config gw --certificate gw.pem --key gw.key --ca ca.pem");
  BOOST_TEST(config.code == 0);
  BOOST_TEST(says(config, "    certificate-authority gw-ca\n        certificate \"-----BEGIN CERTIFICATE-----\n"));
  BOOST_TEST(says(config, "        private-key \"-----BEGIN PRIVATE KEY-----\n"));
}

BOOST_AUTO_TEST_SUITE_END()
