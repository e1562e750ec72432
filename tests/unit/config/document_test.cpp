// SPDX-License-Identifier: Apache-2.0
// The text form, its errors and its warnings, seen from outside.
#include "config/document.h"

#include <boost/test/unit_test.hpp>
#include <ctime>

#include "support/pki.h"

using namespace svti;
using config::Diagnostic;
using config::Diagnostics;
using config::Document;

namespace {

// all that is wrong with a text, one finding a line
std::string errors(std::string_view text) {
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(!parsed.has_value(), "accepted: " << text);
  std::string out;
  for (const Diagnostic& one : parsed.error()) {
    if (!one.warning) out += one.to_string() + "\n";
  }
  return out;
}

std::string warnings(std::string_view text) {
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  std::string out;
  for (const Diagnostic& one : parsed->warnings()) {
    BOOST_TEST(one.warning);
    out += one.to_string() + "\n";
  }
  return out;
}

Document load(std::string_view text) {
  auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  return std::move(*parsed);
}

std::string printed(std::string_view text) { return load(text).print({false, true, false, "ike"}).value(); }

// a VPN that is complete, with `policy` in its security-policy and `more` in the VPN
std::string vpn_text(const std::string& policy = "", const std::string& more = "") {
  return "ike-policy-template i ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group ecp256\n"
         "ipsec-policy-template p esp-proposal 1 aead-alg aes128-gcm-128\n"
         "vpn v\n"
         "    ike-policy template i\n"
         "    ipsec-policy template p\n"
         "    remote-address 192.0.2.2\n"
         "    security-policy s\n" +
         policy + "        ..\n" + more + "    ..\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text_form)

BOOST_AUTO_TEST_CASE(nothing_configures_nothing) {
  const Document empty;
  for (const Document& document : {empty, load("# only a comment\n\n   \t\n")}) {
    BOOST_TEST(document.print({}).value() == "");
    BOOST_TEST(document.to_json({}).value() == "{}\n");
    BOOST_TEST(document.warnings().empty());
    BOOST_TEST(document.resolved()->vrfs.empty());
  }
  const Document all_defaults = load("ike");
  BOOST_TEST(all_defaults.print({false, true, false, ""}).value() == "vrf main\n    ike\n        ..\n    ..\n");
  BOOST_TEST(all_defaults.resolved()->vrfs.at("main").ike->vpns.empty());
}

BOOST_AUTO_TEST_CASE(head_and_end_may_be_left_out) {
  const std::string whole = "ike\n    global-options\n        threads 20\n        ..\n    ..\n";
  for (const char* text :
       {"vrf main\n    ike\n        global-options\n            threads 20\n            ..\n        ..\n    ..\n",
        "ike\nglobal-options\nthreads 20", "global-options\n    threads 20\n    ..\n", "global-options threads 20",
        "ike global-options threads 20\n", "vrf main ike global-options threads 20\n",
        "ike\r\n    global-options\r\n        threads 20\r\n        ..\r\n", "\xef\xbb\xbfglobal-options threads 20  # a comment\n",
        "global-options\n\tthreads\t20\n\t..\n", "global-options\n..\nglobal-options threads 20"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(printed(text) == whole); }
  }
}

BOOST_AUTO_TEST_CASE(a_one_line_container_alone_opens_nothing_unless_its_leaves_follow) {
  const std::string whole = "ike\n    global-options\n        threads 2\n        sp-hash-ipv4 local 16 remote 24\n        ..\n    ..\n";
  BOOST_TEST(printed("global-options\n    sp-hash-ipv4 local 16 remote 24\n    threads 2\n    ..\n") == whole);
  BOOST_TEST(printed("global-options\n    sp-hash-ipv4\n        local 16\n        remote 24\n        ..\n    threads 2\n    ..\n") ==
             whole);
  BOOST_TEST(printed("global-options\n    sp-hash-ipv4\n        ..\n    sp-hash-ipv4 local 16 remote 24\n    threads 2\n    ..\n") ==
             whole);
  BOOST_TEST(printed("global-options\n    sp-hash-ipv4\n    sp-hash-ipv6\n    ..\n") == "ike\n    ..\n");
  BOOST_TEST(printed("global-options\n    sp-hash-ipv6") == "ike\n    ..\n");
}

BOOST_AUTO_TEST_CASE(repeated_leaves_keep_their_order) {
  const std::string text =
      "ike\n    ipsec-policy-template p\n        esp-proposal 2\n            enc-alg aes256-cbc\n            enc-alg aes128-cbc\n"
      "            auth-alg hmac-sha512\n            auth-alg hmac-sha256\n            esn true\n            esn false\n            ..\n"
      "        esp-proposal 1\n            aead-alg aes256-gcm-96\n            ..\n        ..\n    ..\n";
  BOOST_TEST(printed(text) == text);
}

BOOST_AUTO_TEST_CASE(durations_print_with_the_largest_unit) {
  for (const auto& [written, shown] : {std::pair{"0", "0s"},
                                       {"0s", "0s"},
                                       {"90", "90s"},
                                       {"60", "1m"},
                                       {"90m", "90m"},
                                       {"3600s", "1h"},
                                       {"24h", "1d"},
                                       {"4294967295", "4294967295s"}}) {
    BOOST_TEST(printed("ike-policy-template t rekey-time " + std::string(written)) ==
               "ike\n    ike-policy-template t\n        rekey-time " + std::string(shown) + "\n        ..\n    ..\n");
  }
  BOOST_TEST(printed("global-options acquire-timeout 1m").find("acquire-timeout 60\n") != std::string::npos);
  for (const char* wrong : {"4294967296", "49711d", "-1", "1w", "s", "\"\"", "1.5h", "1hh"}) {
    BOOST_TEST(errors("ike-policy-template t rekey-time " + std::string(wrong))
                   .find("is not a duration: expected seconds, or a number with s, m, h or d") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_secret_is_quoted_text_hexadecimal_base64_or_a_word) {
  const auto octets = [](const std::string& written) {
    const Document document = load("pre-shared-key k secret " + written);
    const Document again = load(document.print({false, true, false, "ike"}).value());
    BOOST_TEST(again.to_json({false, true, false, ""}).value() == document.to_json({false, true, false, ""}).value());
    return to_hex(again.resolved()->vrfs.at("main").ike->preshared_keys.front()->secret.view());
  };
  BOOST_TEST(octets("0xd2c79A") == "d2c79a");
  BOOST_TEST(octets("0sAQID") == "010203");
  BOOST_TEST(octets("EAPpassword1") == "45415070617373776f726431");
  BOOST_TEST(octets("\"a b\"") == "612062");
  BOOST_TEST(octets("\"#\"") == "23");
  BOOST_TEST(octets("\"..\"") == "2e2e");
  BOOST_TEST(octets("\"say \\\"hi\\\" \\\\o/\"") ==
             "73617920226869"
             "22205c6f2f");
  // in quotes all is text
  BOOST_TEST(octets("\"0x41\"") == "30783431");
  BOOST_TEST(octets("\"0sQQ==\"") == "307351513d3d");
  BOOST_TEST(octets("\"\xc3\xa9\"") == "c3a9");
  BOOST_TEST(octets("\"two\nlines\"") == "74776f0a6c696e6573");
}

BOOST_AUTO_TEST_CASE(secrets_hide_on_demand_and_never_show_in_errors) {
  const test::Holder holder = test::new_root("CN=gw");
  const std::string pem = "\"" + crypto::to_pem("PRIVATE KEY", holder.key.view()) + "\"";
  const std::string certificate = "\"" + crypto::to_pem("CERTIFICATE", holder.certificate) + "\"";
  const Document document = load("pre-shared-key k secret hunter2\neap-key e secret hunter2\ncertificate c\ncertificate " + certificate +
                                 "\nprivate-key " + pem + "\n..\neap-radius server s address 192.0.2.1 secret hunter2\n");
  for (const std::string& shown :
       {document.print({true, false, false, "ike"}).value(), document.to_json({true, false, false, ""}).value()}) {
    BOOST_TEST(shown.find("hunter2") == std::string::npos, shown);
    BOOST_TEST(shown.find(pem.substr(60, 30)) == std::string::npos, shown);
    BOOST_TEST(shown.find("<hidden>") != std::string::npos);
    BOOST_TEST(shown.find(certificate.substr(60, 30)) != std::string::npos);
  }
  BOOST_TEST(document.print({true, true, false, "ike"}).value().find("hunter2") != std::string::npos);
  BOOST_TEST(document.print({true, true, false, "ike"}).value().find(pem.substr(60, 30)) != std::string::npos);
  for (const char* text :
       {"pre-shared-key k secret 0xhunter2", "pre-shared-key k secret 0shunter2!", "pre-shared-key k secret x hunter2",
        "certificate c private-key hunter2", "certificate c private-key x hunter2", "pre-shared-key k secret \"hunter2"}) {
    BOOST_TEST(errors(text).find("hunter2") == std::string::npos, errors(text));
  }
}

BOOST_AUTO_TEST_CASE(certificates_are_looked_at_when_they_are_loaded) {
  const test::Holder root = test::new_root("C=CH, CN=root"), other = test::new_root("CN=other");
  const test::Holder gw = test::issue(test::request("CN=gw", {test::dns("gw.example")}), root);
  const auto pem = [](std::string_view label, ByteView der) { return "\"" + crypto::to_pem(label, der) + "\"\n"; };
  const auto entries = [&](const test::Holder& key) {
    return "certificate gw\ncertificate " + pem("CERTIFICATE", gw.certificate) + "private-key " + pem("PRIVATE KEY", key.key.view()) +
           "..\ncertificate-authority ca\ncertificate " + pem("CERTIFICATE", root.certificate) + "..\n";
  };
  const std::string both =
      "    certificate gw\n    remote-ca-certificate ca\n    ike-policy\n    local-auth-method certificate\n    remote-auth-method "
      "certificate\n"
      "    ..\n";
  const Document document = load(entries(gw) + vpn_text("", both + "    local-id GW.example\n    remote-id \"C=CH, O=*\"\n"));
  const model::Configuration& made = *document.resolved()->vrfs.at("main").ike;
  const model::Vpn& vpn = *made.vpns.at("v");
  BOOST_TEST_REQUIRE(vpn.authentication.certificates.size() == 1U);
  BOOST_TEST(vpn.authentication.certificates.front()->issuers.size() == 1U);
  BOOST_TEST(vpn.authentication.certificates.front()->issuers.front() == vpn.authentication.authorities.front()->hash);
  BOOST_TEST(made.private_keys.front()->id == vpn.authentication.certificates.front()->key_id);
  BOOST_TEST(vpn.remote_id->is_pattern());
  // whose identity it is not
  BOOST_TEST(errors(entries(gw) + vpn_text("", both + "    local-id other.example\n"))
                 .find("'other.example' is not an identity of certificate gw: expected one of CN=gw, gw.example, or no local-id") !=
             std::string::npos);
  BOOST_TEST(errors(entries(other)).find("certificate gw private-key: is not the key of the certificate") != std::string::npos);
  BOOST_TEST(errors("certificate-authority ca certificate \"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\"\n") ==
             "f:1: certificate-authority ca certificate: is not an X.509 certificate in DER or PEM\n");
  BOOST_TEST(errors(entries(gw) + vpn_text("", "    local-id CN=*\n")).find("is a wildcard") != std::string::npos);
  // a new key for the same name makes another VPN of it; the same text does not
  const auto again = Document::parse(entries(gw) + vpn_text("", both), "f", &document);
  const test::Holder renewed = test::issue(test::request("CN=gw"), root);
  std::string text = "certificate gw\ncertificate " + pem("CERTIFICATE", renewed.certificate) + "private-key " +
                     pem("PRIVATE KEY", renewed.key.view()) + "..\ncertificate-authority ca\ncertificate " +
                     pem("CERTIFICATE", root.certificate) + "..\n" + vpn_text("", both);
  const auto next = Document::parse(text, "f", &*again);
  const auto vpn_of = [](const Document& one) { return one.resolved()->vrfs.at("main").ike->vpns.at("v"); };
  BOOST_TEST(vpn_of(*Document::parse(entries(gw) + vpn_text("", both), "f", &*again)) == vpn_of(*again));
  BOOST_TEST(!(*vpn_of(*next) == *vpn_of(*again)));
}

BOOST_AUTO_TEST_CASE(what_is_put_behind_a_cert_uri_base_is_no_part_of_a_hosts_name) {
  const test::Holder root = test::new_root("CN=root");
  const auto with = [&](const std::string& base) {
    return "certificate-authority ca\ncertificate \"" + crypto::to_pem("CERTIFICATE", root.certificate) + "\"\ncert-uri-base " + base +
           "\n..\n";
  };
  const Document document = load(with("http://ca.example:8080/certs/"));
  BOOST_TEST(document.resolved()->vrfs.at("main").ike->authorities.at(0)->cert_uri_base == "http://ca.example:8080/certs/");
  BOOST_TEST(model::is_cert_uri_base("http://ca.example:8080/certs/"));
  const std::string many(1025, 'a');
  for (const std::string& base : {std::string("http://ca.example"), std::string("http:///certs/"), std::string("https://ca.example/"),
                                  std::string("ldap://ca.example/"), std::string("http://"), "http://ca.example/" + many}) {
    BOOST_TEST(!model::is_cert_uri_base(base), base);
    BOOST_TEST(errors(with(base)).find("cert-uri-base") != std::string::npos, base);
  }
}

BOOST_AUTO_TEST_CASE(json_is_that_of_rfc_7951) {
  BOOST_TEST(
      load("global-options dos-protection cookie-threshold always\nglobal-options retransmit-timeout 2.5\n"
           "ipsec-policy-template p rekey-bytes 18446744073709551615\npool x address 192.0.2.0/24\nike-policy-template i mobike false")
          .to_json({false, true, false, "ike"})
          .value() == R"({
  "svti:ike": {
    "pool": [
      {
        "name": "x",
        "address": [
          "192.0.2.0/24"
        ]
      }
    ],
    "global-options": {
      "dos-protection": {
        "cookie-threshold": "always"
      },
      "retransmit-timeout": "2.5"
    },
    "ike-policy-template": [
      {
        "name": "i",
        "mobike": false
      }
    ],
    "ipsec-policy-template": [
      {
        "name": "p",
        "rekey-bytes": "18446744073709551615"
      }
    ]
  }
}
)");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(text_errors)

BOOST_AUTO_TEST_CASE(every_finding_of_a_pass_is_told_with_its_line) {
  BOOST_TEST(errors("ike\n"                                        // 1
                    "    vpn a\n"                                  // 2
                    "        local-adress 192.0.2.1\n"             // 3
                    "        remote-address 192.0.2.300\n"         // 4
                    "        security-policy s\n"                  // 5
                    "            local-ts subnet 10.0.0.1/24\n"    // 6
                    "            action espp\n"                    // 7
                    "            svti-id-in 0\n"                   // 8
                    "            ..\n"                             // 9
                    "        ike-policy\n"                         // 10
                    "            rekey-time 4x\n"                  // 11
                    "            ..\n"                             // 12
                    "        ..\n"                                 // 13
                    "    global-options\n"                         // 14
                    "        threads many\n"                       // 15
                    "        retransmit-timeout 60.001\n"          // 16
                    "        dos-protection cookie-threshold x\n"  // 17
                    "        install-routes yes\n"                 // 18
                    "        ..\n"                                 // 19
                    "    logging daemon ike 5\n") ==               // 20
             "f:3: vpn a local-adress: is not known (did you mean 'local-address'?)\n"
             "f:4: vpn a remote-address: '192.0.2.300' is not allowed: expected an IPv4 or IPv6 address\n"
             "f:6: vpn a security-policy s local-ts subnet: '10.0.0.1/24' has host bits set; the prefix is 10.0.0.0/24\n"
             "f:7: vpn a security-policy s action: 'espp' is not allowed: expected esp, ah, pass or drop (did you mean 'esp'?)\n"
             "f:8: vpn a security-policy s svti-id-in: '0' is not allowed: expected 1..4294967295\n"
             "f:11: vpn a ike-policy rekey-time: '4x' is not a duration: expected seconds, or a number with s, m, h or d, at most "
             "4294967295 seconds\n"
             "f:15: global-options threads: 'many' is not allowed: expected 1..1024\n"
             "f:16: global-options retransmit-timeout: '60.001' is not allowed: expected 0.0..60.0 with at most 3 decimals\n"
             "f:17: global-options dos-protection cookie-threshold: 'x' is not allowed: expected 0..4294967294 or always\n"
             "f:18: global-options install-routes: 'yes' is not allowed: expected true or false\n"
             "f:20: logging daemon ike: '5' is not allowed: expected 0..4 or disable\n");
}

BOOST_AUTO_TEST_CASE(an_unknown_leaf_without_a_near_one_gets_the_list) {
  BOOST_TEST(
      errors("global-options dos-protection zzz 1") ==
      "f:1: global-options dos-protection zzz: is not known; known here: cookie-threshold, block-threshold or init-limit-half-open\n");
  // what stands in it is left out, and what follows is read
  BOOST_TEST(errors("vpnx a\n    local-address x\n    ..\nglobal-options threads x") ==
             "f:1: vpnx: is not known (did you mean 'vpn'?)\nf:4: global-options threads: 'x' is not allowed: expected 1..1024\n");
}

BOOST_AUTO_TEST_CASE(values_and_names_are_asked_for) {
  BOOST_TEST(errors("global-options\n    threads\n    ..\n") == "f:2: global-options threads: needs a value: 1..1024\n");
  BOOST_TEST(errors("vpn") ==
             "f:1: vpn: needs a name: a name of 1 to 64 letters, digits and . _ - : @ +, beginning with a letter, a digit or _\n");
  BOOST_TEST(errors("vpn a/b local-id x\n").find("f:1: vpn: 'a/b' is not allowed: expected a name of 1 to 64") == 0U);
  BOOST_TEST(errors("ike-policy-template t ike-proposal 0 dh-group ecp256").find("'0' is not allowed: expected 1..65535") !=
             std::string::npos);
  BOOST_TEST(errors("vpn v description my vpn") ==
             "f:1: vpn v description: more than one word behind it: a value with blanks is written in quotes\n");
  BOOST_TEST(errors("vpn v local-address 192.0.2.1 security-policy s\n") == "f:1: vpn v security-policy: begins a line of its own\n");
}

BOOST_AUTO_TEST_CASE(a_leaf_is_set_once) {
  BOOST_TEST(errors("vpn v\n    local-id a.example\n    ..\nvpn v\n    local-id b.example\n    ..\n") ==
             "f:5: vpn v local-id: is already set on line 2\n");
  BOOST_TEST(errors("pre-shared-key k\n    secret x\n    id a.example\n    id a.example\n    ..\n") ==
             "f:4: pre-shared-key k id: already has this value on line 3\n");
}

BOOST_AUTO_TEST_CASE(contexts_are_watched) {
  BOOST_TEST(errors("ike\n    ..\n..\n") == "f:3: '..' closes a context, and none is open\n");
  BOOST_TEST(errors("vpn v\n    .. ..\n") == "f:2: vpn v: '..' stands alone on its line\n");
  // a ".." was forgotten: one finding, and the rest is read in its place
  BOOST_TEST(errors("ike\n    vpn v\n        ike-policy\n            keying-tries 3\n        local-id a.example\n        ..\n    "
                    "global-options\n        threads 0\n        ..\n") ==
             "f:5: vpn v ike-policy local-id: stands in 'vpn v', not here: a '..' is missing above\nf:8: global-options threads: '0' is "
             "not allowed: expected 1..1024\n");
  // a leaf in the wrong place
  BOOST_TEST(errors("vpn v\n    security-policy s\n        local-id a.example\n        priority x\n        ..\n") ==
             "f:3: vpn v security-policy s local-id: stands in 'vpn v', not here\n"
             "f:4: vpn v security-policy s priority: 'x' is not allowed: expected 0..4294967295\n");
  BOOST_TEST(errors("ike\n    (...)\n    vpn v\n        (...)\n") ==
             "f:2: '(...)' stands for what was left out of a printed configuration: write it out, or take this line away\n"
             "f:4: vpn v: '(...)' stands for what was left out of a printed configuration: write it out, or take this line away\n");
  BOOST_TEST(errors("vrf blue\n    ike global-options threads 0\n    ..\n") ==
             "f:2: vrf blue ike global-options threads: '0' is not allowed: expected 1..1024\n");
}

BOOST_AUTO_TEST_CASE(octets_that_are_no_text_are_refused_with_their_place) {
  BOOST_TEST(errors(std::string_view("ike\n    vpn \0\n", 14)) == "f:2: control character 0x00 in column 9\n");
  BOOST_TEST(errors("ike\n\x1b[2J") == "f:2: control character 0x1b in column 1\n");
  BOOST_TEST(errors("vpn v description \"a\rb\"") == "f:1: control character 0x0d in column 21\n");
  BOOST_TEST(errors("vpn v description \"\x7f\"") == "f:1: control character 0x7f in column 20\n");
  for (const char* bytes : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xc2\x9b"}) {
    BOOST_TEST(errors("vpn v description \"" + std::string(bytes) + "\"").find("f:1: octet that is no UTF-8 text") == 0U);
  }
}

BOOST_AUTO_TEST_CASE(quotes_are_watched_and_lines_counted_through_them) {
  BOOST_TEST(errors("vpn v\n    description \"open\n    local-id x.example\n") == "f:2: the quote that is opened here is never closed\n");
  BOOST_TEST(errors("vpn v description \"a\"b\n") ==
             "f:1: a blank is missing behind the closing quote; a quote inside a quoted value is written \\\"\n"
             "f:1: vpn v description: more than one word behind it: a value with blanks is written in quotes\n");
  BOOST_TEST(errors("vpn v description \"a\\n\"\n") ==
             "f:1: unknown escape in a quoted value: \\\" stands for a quote, \\\\ for a backslash\n");
  BOOST_TEST(errors("\"vpn\" v\n") == "f:1: a keyword is expected, not a quoted value\n");
  BOOST_TEST(errors("vpn v\n    description \"one\n\ntwo\"\n    local-id *\n") ==
             "f:5: vpn v local-id: '*' is not an identity: '*' may only stand for the first part, as in *.example.com or *@example.com; "
             "%any matches everything\n");
  // a finding is one line though the value it repeats is not
  BOOST_TEST(errors("vpn v remote-address \"x\ny\"") ==
             "f:1: vpn v remote-address: 'x\\x0ay' is not allowed: expected an IPv4 or IPv6 address\n");
}

BOOST_AUTO_TEST_CASE(rules_of_the_schema_are_told_all_at_once) {
  BOOST_TEST(errors("ike-policy-template i\n"                         // 1
                    "    ike-proposal 1\n"                            // 2
                    "        enc-alg aes128-cbc\n"                    // 3
                    "        dh-group ecp256\n"                       // 4
                    "        ..\n"                                    // 5
                    "    ike-proposal 2\n"                            // 6
                    "        aead-alg aes128-gcm-128\n"               // 7
                    "        enc-alg aes128-cbc\n"                    // 8
                    "        prf-alg hmac-sha256\n"                   // 9
                    "        dh-group ecp256\n"                       // 10
                    "        ..\n"                                    // 11
                    "    ike-proposal 3\n"                            // 12
                    "        aead-alg aes128-gcm-128\n"               // 13
                    "        dh-group ecp256\n"                       // 14
                    "        ..\n"                                    // 15
                    "    ike-proposal 4\n"                            // 16
                    "        enc-alg aes128-cbc\n"                    // 17
                    "        auth-alg hmac-sha1\n"                    // 18
                    "        ..\n"                                    // 19
                    "    ..\n"                                        // 20
                    "ipsec-policy-template p\n"                       // 21
                    "    esp-proposal 1 auth-alg hmac-sha1\n"         // 22
                    "    ah-proposal 1 esn true\n"                    // 23
                    "    ..\n"                                        // 24
                    "pre-shared-key k id a.example\n"                 // 25
                    "vpn v ike-policy template j\n"                   // 26
                    "vpn v security-policy s local-ts port 80\n") ==  // 27
             "f:2: ike-policy-template i ike-proposal 1: needs aead-alg, or enc-alg together with auth-alg\n"
             "f:6: ike-policy-template i ike-proposal 2: aead-alg goes without enc-alg and auth-alg: write two proposals (RFC 7296 3.3)\n"
             "f:12: ike-policy-template i ike-proposal 3: needs prf-alg: an aead-alg implies none\n"
             "f:16: ike-policy-template i ike-proposal 4 dh-group: is missing: modp2048, modp3072, modp4096, modp6144, modp8192, ecp224, "
             "ecp256, ecp384, ecp521, brainpool224, brainpool256, brainpool384, brainpool512, curve25519 or curve448\n"
             "f:22: ipsec-policy-template p esp-proposal 1: needs aead-alg, or enc-alg together with auth-alg\n"
             "f:23: ipsec-policy-template p ah-proposal 1 auth-alg: is missing: hmac-sha1, hmac-sha256, hmac-sha384, hmac-sha512, aes-xcbc "
             "or aes-cmac\n"
             "f:25: pre-shared-key k secret: is missing: \"text\" in quotes, 0x and hexadecimal digits, 0s and base64, or one word\n"
             "f:26: vpn v ike-policy template: there is no ike-policy-template 'j' (did you mean 'i'?)\n"
             "f:27: vpn v security-policy s local-ts port: a port needs a protocol: 6 (TCP), 17 (UDP), 132 (SCTP)\n");
}

BOOST_AUTO_TEST_CASE(a_leaf_that_was_misspelt_is_not_missed_as_well) {
  BOOST_TEST(errors("pre-shared-key k\n    secrt x\n    ..\n") == "f:2: pre-shared-key k secrt: is not known (did you mean 'secret'?)\n");
  BOOST_TEST(
      errors(
          "ike-policy-template i\n    ike-proposal 1\n        enc-alg aes128-cb\n        auth-alg hmac-sha1\n        dh-group ecp256\n") ==
      "f:3: ike-policy-template i ike-proposal 1 enc-alg: 'aes128-cb' is not allowed: expected aes128-cbc, aes192-cbc, aes256-cbc, "
      "aes128-ctr, aes192-ctr, aes256-ctr, "
      "camellia128-cbc, camellia192-cbc, camellia256-cbc or null (did "
      "you mean 'aes128-cbc'?)\n");
}

BOOST_AUTO_TEST_CASE(findings_are_bounded) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "bad\n";
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().size() == 51U);
  BOOST_TEST(parsed.error().back().message == "too many errors: there may be more than the 50 shown");
  BOOST_TEST(errors(std::string((16U << 20) + 1, ' ')) == "f: the text has 16777217 octets; 16777216 are allowed\n");
  BOOST_TEST(errors("vpn v description " + std::string(100000, 'x')).size() < 400U);
  BOOST_TEST(errors(std::string(100000, 'x')).size() < 2000U);
}

BOOST_AUTO_TEST_CASE(limits_of_lists_hold) {
  std::string text = "ike-policy-template t\n";
  for (int i = 1; i <= 65; ++i)
    text += "    ike-proposal " + std::to_string(i) + " enc-alg aes128-cbc auth-alg hmac-sha1 dh-group ecp256\n";
  BOOST_TEST(errors(text) == "f:66: ike-policy-template t ike-proposal: at most 64 entries are allowed\n");
}

BOOST_AUTO_TEST_CASE(a_diagnostic_is_one_line) {
  BOOST_TEST((Diagnostic{false, "a.conf", 3, "vpn v", "is bad"}).to_string() == "a.conf:3: vpn v: is bad");
  BOOST_TEST((Diagnostic{true, "a.conf", 3, "vpn v", "is bad"}).to_string() == "a.conf:3: warning: vpn v: is bad");
  BOOST_TEST((Diagnostic{false, "a.conf", 0, "", "is bad"}).to_string() == "a.conf: is bad");
  BOOST_TEST((Diagnostic{false, "", 0, "", "is bad"}).to_string() == "is bad");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(not_yet)

BOOST_AUTO_TEST_CASE(what_has_no_effect_loads_shows_and_is_told_once) {
  const std::string text =
      "ike\n    global-options\n        snmp true\n        ..\n    ike-policy-template a\n        aggressive true\n        ..\n    "
      "ike-policy-template b\n        aggressive true\n        ..\n    ..\n";
  BOOST_TEST(printed(text) == text);
  BOOST_TEST(
      warnings(text) ==
      "f:3: warning: global-options snmp: has no effect yet: this version keeps and shows it, and does nothing with it\n"
      "f:6: warning: ike-policy-template a aggressive: has no effect yet: this version keeps and shows it, and does nothing with it\n");
  for (const char* leaf : {"global-options snmp true", "global-options delete-rekeyed true", "ike-policy-template t aggressive true",
                           "ha\nlisten-ha-group g\nlocal-address 192.0.2.1\nremote-address 192.0.2.2", "global-options sa-table-size 2"}) {
    BOOST_TEST_CONTEXT(leaf) {
      const auto parsed = Document::parse(leaf, "f");
      if (!parsed) {
        BOOST_TEST(std::string(leaf).starts_with("vpn"));  // an incomplete VPN: refused, warned of all the same
        continue;
      }
      BOOST_TEST(warnings(leaf).find("has no effect yet") != std::string::npos);
    }
  }
  BOOST_TEST(warnings("global-options snmp false\nike-policy-template t aggressive false\n") == "");
}

BOOST_AUTO_TEST_CASE(weak_algorithms_are_warned_of_once_each) {
  const std::string proposal = "ike-policy-template t ike-proposal 1 enc-alg 3des-cbc auth-alg hmac-sha1 dh-group ";
  const std::string why = ": is weak (RFC 8221, RFC 8247): for a peer that has nothing better\n";
  BOOST_TEST(warnings(proposal + "modp1024\n" + "ipsec-policy-template t esp-proposal 1 enc-alg 3des-cbc auth-alg hmac-sha1\n") ==
             "f:1: warning: ike-policy-template t ike-proposal 1 enc-alg" + why +
                 "f:1: warning: ike-policy-template t ike-proposal 1 dh-group" + why);
}

BOOST_AUTO_TEST_CASE(what_encrypts_nothing_is_for_esp_alone) {
  const auto refusal = [](const std::string& text) {
    const auto parsed = Document::parse(text, "f");
    return parsed ? std::string("taken") : parsed.error().front().to_string();
  };
  for (const char* words : {"enc-alg null auth-alg hmac-sha256", "aead-alg aes128-gmac prf-alg hmac-sha256"}) {
    BOOST_TEST(refusal("ike-policy-template t ike-proposal 1 " + std::string(words) + " dh-group ecp256\n").find("encrypt nothing") !=
               std::string::npos);
  }
  BOOST_TEST(refusal("ipsec-policy-template t esp-proposal 1 enc-alg null auth-alg hmac-sha256\n") == "taken");
  BOOST_TEST(refusal("ipsec-policy-template t esp-proposal 1 aead-alg aes128-gmac\n") == "taken");
}

BOOST_AUTO_TEST_CASE(methods_of_authentication) {
  const auto vpn_of = [](const std::string& local, const std::string& remote, const std::string& more = "") {
    return "eap-key joe id joe@example.com secret x\n" +
           vpn_text("", "    ipsec-policy start-action none\n    ike-policy local-auth-method " + local +
                            "\n    ike-policy remote-auth-method " + remote + "\n" + more);
  };
  const auto has = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
  const std::string psk = "pre-shared-key";
  for (const char* method : {"eap-mschapv2", "eap-md5"}) {
    BOOST_TEST(warnings(vpn_of(psk, method, "    remote-eap-id %any\n")) == "");
    BOOST_TEST(warnings(vpn_of(method, psk, "    local-eap-id joe@example.com\n")) == "");
  }
  BOOST_TEST(has(warnings(vpn_of("eap-mschapv2", "eap-mschapv2")), "eap-mschapv2 at both ends is EAP alone (RFC 5998)"));
  BOOST_TEST(has(errors(vpn_of("eap-md5", "eap-md5")), "it does not say who the gateway is"));
  BOOST_TEST(has(errors(vpn_of("eap-md5", "eap-mschapv2")), "both ends by EAP is one method for both"));
  BOOST_TEST(has(errors(vpn_of("eap-mschapv2", "eap-md5")), "both ends by EAP is one method for both"));
  BOOST_TEST(!has(warnings(vpn_of(psk, "eap-md5", "    ike-policy ppk-id a\n")), "ppk-id"));
  BOOST_TEST(has(warnings(vpn_of(psk, psk, "    local-eap-id a\n")), "local-eap-id: has no effect with local-auth-method pre-shared-key"));
  BOOST_TEST(
      has(warnings(vpn_of(psk, psk, "    remote-eap-id a\n")), "remote-eap-id: has no effect with remote-auth-method pre-shared-key"));
  const std::string waits = vpn_text("", "    ike-policy remote-auth-method eap-mschapv2\n");
  BOOST_TEST(has(warnings(waits), "eap-mschapv2 is for peers that begin: start-action is treated as none"));

  const Document document = load(vpn_of(psk, "eap-mschapv2", "    remote-eap-id *@example.com\n"));
  const model::ConfigurationPtr ike = document.resolved()->vrfs.at("main").ike;
  BOOST_TEST_REQUIRE(ike->eap_keys.size() == 1U);
  BOOST_TEST(ike->eap_keys[0]->name == "joe");
  BOOST_TEST(ike->eap_keys[0]->ids.at(0).to_string() == "joe@example.com");
  const model::Vpn& vpn = *ike->vpns.at("v");
  BOOST_TEST(vpn.authentication.remote_eap_id->to_string() == "*@example.com");
  BOOST_TEST(!vpn.authentication.may_initiate());
  // another password is another key, and leaves the VPN as it is
  const auto changed = Document::parse(
      "eap-key joe id joe@example.com secret y\n" + vpn_of(psk, "eap-mschapv2", "    remote-eap-id *@example.com\n").substr(40), "f",
      &document);
  BOOST_TEST_REQUIRE(changed.has_value());
  const model::ConfigurationPtr after = changed->resolved()->vrfs.at("main").ike;
  BOOST_TEST((as_text(after->eap_keys.at(0)->secret.view()) == "y"));
  BOOST_TEST((after->vpns.at("v") == ike->vpns.at("v")));
}

BOOST_AUTO_TEST_CASE(what_would_be_unsafe_to_ignore_is_refused_where_it_is_used) {
  BOOST_TEST(warnings("ike-policy-template t local-auth-method certificate\n") == "");
  BOOST_TEST(errors(vpn_text("", "    ike-policy local-auth-method certificate\n")) ==
             "f:3: vpn v: local-auth-method certificate needs a certificate: expected `certificate NAME`\n");
  BOOST_TEST(errors(vpn_text("", "    ike-policy remote-auth-method certificate\n")) ==
             "f:3: vpn v: remote-auth-method certificate needs a remote-ca-certificate: without one nobody is trusted\n");
  BOOST_TEST(errors("ike-policy-template i remote-auth-method eap-radius\n" + vpn_text()) ==
             "f:1: ike-policy-template i remote-auth-method: there is no eap-radius server to ask (VPN 'v' uses it)\n");
  BOOST_TEST(errors(vpn_text("", "    ike-policy local-auth-method eap-radius\n")) != "");
  BOOST_TEST(errors(vpn_text("", "    ike-policy local-auth-method eap-tls\n")) ==
             "f:3: vpn v: eap-tls needs a certificate, for both ends show one: expected `certificate NAME`\n");
  // the VPN's own method hides its template's
  BOOST_TEST(warnings("ike-policy-template i remote-auth-method eap-radius\n" +
                      vpn_text("", "    ike-policy remote-auth-method pre-shared-key\n")) == "");
  BOOST_TEST(errors(vpn_text("", "    version 1\n")) == "f:9: vpn v version: IKEv1 is not supported yet: expected 2\n");
}

BOOST_AUTO_TEST_CASE(radius_servers_inherit_and_stand_in_the_order_of_preference) {
  const std::string text =
      "eap-radius\n    auth-port 1645\n    retransmit-tries 2\n    accounting true\n    accounting-interval 5m\n    "
      "dynamic-authorization\n        ..\n"
      "    server a address 192.0.2.1 secret s1\n    server b\n        address 2001:db8::1\n        secret s2\n        preference 7\n"
      "        auth-port 1812\n        retransmit-base 2.5\n        nas-identifier gw\n        ..\n    ..\n";
  const auto radius = load(text).resolved()->vrfs.at("main").ike->radius;
  BOOST_TEST_REQUIRE(radius != nullptr);
  BOOST_TEST(radius->accounting);
  BOOST_TEST(radius->accounting_interval.count() == 300);
  BOOST_TEST(*radius->dynamic_authorization_port == 3799);
  BOOST_TEST_REQUIRE(radius->servers.size() == 2U);
  const model::RadiusServer &first = radius->servers[0], &second = radius->servers[1];
  BOOST_TEST(first.name == "b");
  BOOST_TEST(first.auth_port == 1812);
  BOOST_TEST(first.retransmit_base == 2.5);
  BOOST_TEST(first.nas_identifier == "gw");
  BOOST_TEST(first.retransmit_tries == 2U);
  BOOST_TEST(second.auth_port == 1645);
  BOOST_TEST(second.accounting_port == 1813);
  BOOST_TEST(second.retransmit_timeout.count() == 2000);
  BOOST_TEST(second.nas_identifier == "svti-iked");
  BOOST_TEST((as_text(second.secret.view()) == "s1"));
  const auto named = load("eap-radius server a\naddress radius.example\nsecret s\nsource-address 2001:db8::1\n");
  BOOST_TEST(named.resolved()->vrfs.at("main").ike->radius->servers.at(0).host == "radius.example");
  BOOST_TEST(second.host == "");
  BOOST_TEST(
      errors("eap-radius server a\naddress 192.0.2.1\nsecret s\nsource-address 2001:db8::1\n").find("is of another family than address") !=
      std::string::npos);
  BOOST_TEST(warnings("eap-radius\n").find("has no server") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(actions_and_modes_say_what_they_need) {
  const auto policy = [](const std::string& text) { return load(text).resolved()->vrfs.at("main").ike->vpns.at("v")->policies.at(0); };
  BOOST_TEST(errors(vpn_text("        action ah\n")).find("vpn v: needs an ah-proposal, in its ipsec-policy or in the template of that") !=
             std::string::npos);
  const std::string ah = "    ipsec-policy ah-proposal 3 auth-alg hmac-sha256 esn true esn false\n";
  BOOST_TEST(warnings(vpn_text("        action ah\n", ah)) == "");
  BOOST_TEST((policy(vpn_text("        action ah\n", ah)).action == model::PolicyAction::Ah));
  const std::string transport = "        mode transport\n";
  const std::string refusal = errors(vpn_text("        local-ts subnet 10.0.0.0/8\n" + transport));
  BOOST_TEST(refusal.find("transport is for the traffic of the two ends themselves") != std::string::npos, refusal);
  BOOST_TEST(warnings(vpn_text("        action drop\n")) == "");
  BOOST_TEST((policy(vpn_text("        action drop\n")).action == model::PolicyAction::Drop));
}

BOOST_AUTO_TEST_CASE(virtual_addresses_are_checked) {
  BOOST_TEST(warnings(vpn_text("", "    vip-request 0.0.0.0\n    vip-request ::\n")) == "");
  BOOST_TEST(errors(vpn_text("", "    vip-request 0.0.0.0\n    vip-request 192.0.2.9\n")) ==
             "f:10: vpn v vip-request: a second IPv4 address: at most one of each family\n");
  BOOST_TEST(errors(vpn_text("", "    vip-pool p\n")) == "f:9: vpn v vip-pool: there is no pool 'p'\n");
  BOOST_TEST(warnings("pool p address 192.0.2.0/24\n" + vpn_text("", "    vip-pool p\n")) == "");
  BOOST_TEST(errors("pool p address 192.0.2.0/24\npool q\naddress 192.0.3.1\naddress 192.0.2.200-192.0.3.0\n..\n") ==
             "f:4: pool q address: overlaps address 192.0.2.0/24 of pool 'p'\n");
  BOOST_TEST(errors("pool q\naddress 2001:db8::/64\naddress 2001:db8::7\n..\n") == "f:3: pool q address: overlaps address 2001:db8::/64\n");
  // what a subnet does not give away is free
  BOOST_TEST(warnings("pool q\naddress 192.0.2.0/24\naddress 192.0.2.255\n..\n") == "");
  BOOST_TEST(warnings("pool q\naddress 192.0.2.1\nnbns 2001:db8::1\n..\n") ==
             "f:3: warning: pool q nbns: does not reach the client: IKEv2 tells IPv4 addresses of NBNS servers alone\n");
}

BOOST_AUTO_TEST_CASE(clear_text_may_not_leave_through_an_svti) {
  BOOST_TEST(
      errors(vpn_text("        action pass\n        svti-id-in 1\n        svti-id-out 1\n")) ==
      "f:8: vpn v security-policy s action: pass cannot stand with an svti-id: what is routed into an SVTI would leave it unprotected\n");
  BOOST_TEST(warnings(vpn_text("        action pass\n")) == "");
  BOOST_TEST(warnings(vpn_text("        action drop\n        svti-id-in 1\n        svti-id-out 1\n")) == "");
}

BOOST_AUTO_TEST_CASE(doubtful_vpns_are_told) {
  BOOST_TEST(warnings(vpn_text("        svti-id-out 7\n")) ==
             "f:7: warning: vpn v security-policy s: only svti-id-out is set: the other direction does not pass through an SVTI\n");
  BOOST_TEST(warnings("ike-policy-template i ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group ecp256\n"
                      "vpn v remote-address 192.0.2.1\nvpn v ike-policy template i\n") ==
             "f:2: warning: vpn v: has no security-policy: there is nothing to negotiate\n");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(scale)

// Linear: ten times the VPNs in far less than a hundred times the time. The bound is loose, for sanitizers and noisy machines.
BOOST_AUTO_TEST_CASE(time_grows_with_the_number_of_vpns_and_no_faster) {
  const auto parse_seconds = [](int count) {
    std::string text = "ipsec-policy-template p esp-proposal 1 aead-alg aes128-gcm-128\n";
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      text += "ike-policy-template t" + n + " ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group ecp256\npre-shared-key k" +
              n + "\n    id gw" + n + ".example\n    secret x\n    ..\nvpn v" + n + "\n    ike-policy template t" + n +
              "\n    ipsec-policy template p\n    remote-address 192.0.2.1\n    security-policy s svti-id-in 1 svti-id-out 1\n    ..\n";
    }
    const std::clock_t start = std::clock();  // of this process: other load does not count
    const Document document = load(text);
    BOOST_TEST(document.resolved()->vrfs.at("main").ike->vpns.size() == static_cast<std::size_t>(count));
    BOOST_TEST(!document.print({true, true, false, "ike"}).value().empty());
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  parse_seconds(10);
  const double small = parse_seconds(300);
  const double large = parse_seconds(3000);
  BOOST_TEST_MESSAGE("300 VPNs " << small << " s, 3000 VPNs " << large << " s");
  BOOST_TEST(large < 40 * small);
}

BOOST_AUTO_TEST_SUITE_END()
