// SPDX-License-Identifier: Apache-2.0
// The protocol's commands over a fake engine, without a socket: what is loaded, listed, initiated, and what happens on the way.
#include "control/commands.h"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "control/render_events.h"
#include "crypto/signature.h"
#include "support/fake_service.h"

using namespace svti;

namespace {

constexpr std::string_view kCertificate =
    "MIIBbzCCASGgAwIBAgIUFAatUX/vl2awdkJv+krd1Px7Km0wBQYDK2VwMCwxCzAJBgNVBAYTAkNIMRAwDgYDVQQKDAdFeGFtcGxlMQswCQYDVQQDDAJndzAgFw0yNjExMj"
    "MyMDQzNTJaGA8yMTI2MTAzMDIwNDM1MlowLDELMAkGA1UEBhMCQ0gxEDAOBgNVBAoMB0V4YW1wbGUxCzAJBgNVBAMMAmd3MCowBQYDK2VwAyEAIfX/ANSy/2/"
    "QxdSoVF5JUIUjbR5lLqGlswTZsNpodKCjUzBRMB0GA1UdDgQWBBT5feTlA1+xA2XqAcYWsBYAtnTqYTAfBgNVHSMEGDAWgBT5feTlA1+"
    "xA2XqAcYWsBYAtnTqYTAPBgNVHRMBAf8EBTADAQH/"
    "MAUGAytlcANBADO7oC6pMjOLK1SER2R2b/shaBY7mi9g5xRYpb24WV9k2X/djd74nqYyFa2M9WDz7InM1V2acsnP12uk3HeBmgE=";
constexpr std::string_view kPrivateKey = "MC4CAQAwBQYDK2VwBCIEIHS4bPBA66VO4N8ZoUT12Y3Jv4kfPAe9xxeHAJmnPvqx";
// as `openssl x509 -ext subjectKeyIdentifier` tells it
constexpr std::string_view kKeyId = "f97de4e5035fb10365ea01c616b01600b674ea61";

std::string octets(std::string_view base64) { return std::string(as_text(from_base64(base64).value())); }

struct Client : control::Requester {
  std::set<std::string, std::less<>> listening;
  std::vector<std::pair<std::string, vici::Message>> events;
  std::optional<vici::Message> answer;

  bool listens_to(std::string_view event) const override { return listening.contains(event); }
  void send_event(std::uint64_t, std::string_view event, const vici::Message& message) override {
    if (listens_to(event)) events.emplace_back(event, message);
  }
  void respond(std::uint64_t, const vici::Message& message) override {
    if (!answer) answer = message;
  }
  void hold(std::shared_ptr<void>) override {}
};

struct Rig {
  boost::asio::io_context loop;
  test::FakeService service;
  std::vector<LogLine> log;
  control::Loaded loaded{loop, service, [this](const LogLine& line) { log.push_back(line); }, {}};
  std::shared_ptr<Client> client = std::make_shared<Client>();
  std::string upload;

  // the response; none: it is still to come
  std::optional<vici::Message> request(std::string_view command, const vici::Message& parameters = {}) {
    client->events.clear();
    client->answer.reset();
    std::optional<control::Reply> reply = control::carry_out(command, {service, "1.2.3", {}, client, 1, parameters, upload, loaded});
    loaded.overlay.follow();
    BOOST_TEST_REQUIRE(reply.has_value(), command);
    if (auto* message = std::get_if<vici::Message>(&*reply)) return std::move(*message);
    if (auto* streamed = std::get_if<control::Streamed>(&*reply)) {
      while (const auto event = streamed->next()) client->send_event(1, streamed->event, *event);
      return std::move(streamed->response);
    }
    return client->answer;
  }
  vici::Message call(std::string_view command, const vici::Message& parameters = {}) {
    auto response = request(command, parameters);
    BOOST_TEST_REQUIRE(response.has_value(), command);
    return std::move(*response);
  }
  std::string error(std::string_view command, const vici::Message& parameters = {}) {
    const vici::Message response = call(command, parameters);
    return response.text("success") == "yes" ? "" : std::string(response.text("errmsg"));
  }
  void load_conn(const std::string& name, const std::string& child = "net", const std::string& auth = "psk") {
    vici::Message message;
    vici::Section& section = message.add_section(name);
    section.add_list("remote_addrs", {"198.51.100.1"});
    section.add_section("local").add("auth", auth);
    section.add_section("remote").add("auth", auth);
    section.add_section("children").add_section(child).add("start_action", "trap");
    BOOST_TEST(error("load-conn", message) == "");
  }
  std::vector<std::string> listed(std::string_view command, std::string_view event, const vici::Message& parameters = {}) {
    client->listening.emplace(event);
    call(command, parameters);
    std::vector<std::string> names;
    for (const auto& [name, message] : client->events) {
      for (const vici::Entry& entry : message.entries()) names.push_back(entry.name);
    }
    return names;
  }
};

vici::Message with(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
  vici::Message message;
  for (const auto& [key, value] : pairs) message.add(key, value);
  return message;
}

using Names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(commands)

BOOST_AUTO_TEST_CASE(connections_are_loaded_listed_replaced_and_unloaded) {
  Rig rig;
  rig.load_conn("site");
  rig.load_conn("certs", "other", "any");
  BOOST_TEST((*rig.call("get-conns").list("conns") == vici::List{"certs", "site"}));
  BOOST_TEST(rig.service.overlay.vpns.empty());  // not yet: more may come
  rig.client->listening.emplace("list-conn");
  rig.call("list-conns");
  BOOST_TEST(rig.service.overlay.vpns.size() == 1U);  // what cannot be brought up is not the engine's
  BOOST_TEST(rig.service.overlay.vpns.contains("site"));
  BOOST_TEST(rig.error("initiate", with({{"child", "other"}})) ==
             "connection certs: auth = any is not supported yet: expected psk, pubkey, eap-mschapv2, eap-md5, eap-tls or eap-radius");
  BOOST_TEST(rig.log.front().text ==
             "connection certs: auth = any is not supported yet: expected psk, pubkey, eap-mschapv2, eap-md5, eap-tls or eap-radius");
  rig.load_conn("site", "renamed");
  BOOST_TEST(rig.error("unload-conn", with({{"name", "certs"}})) == "");
  BOOST_TEST(rig.error("unload-conn", with({{"name", "certs"}})) == "connection 'certs' not found for unloading");
  BOOST_TEST(rig.error("unload-conn") == "missing name");
  rig.call("list-conns");
  BOOST_TEST(rig.service.overlay.vpns.at("site")->find_policy("renamed") != nullptr);
}

// the words of the configuration's own warning, for all the algorithms that it warns of
BOOST_AUTO_TEST_CASE(weak_algorithms_of_a_connection_are_told_to_the_client_and_the_log_once_each) {
  Rig rig;
  const auto load = [&](const std::string& ike, const std::string& esp) {
    rig.log.clear();
    vici::Message message;
    vici::Section& section = message.add_section("site");
    section.add_list("remote_addrs", {"198.51.100.1"}).add_list("proposals", {ike});
    section.add_section("local").add("auth", "psk");
    section.add_section("remote").add("auth", "psk");
    vici::Section& children = section.add_section("children");
    children.add_section("net").add_list("esp_proposals", {esp});
    children.add_section("other").add_list("esp_proposals", {esp});
    vici::Message response = rig.call("load-conn", message);
    BOOST_TEST_REQUIRE(response.text("success") == "yes", response.text("errmsg"));
    return response;
  };
  const std::string why = " is weak (RFC 8221, RFC 8247): for a peer that has nothing better";
  const vici::Message response = load("aes256-sha256-modp2048,3des-md5-prfmd5-modp768-modp1024-modp1536", "3des-sha1-modp1024s160");
  const vici::List* warnings = response.list("warnings");
  BOOST_TEST_REQUIRE(warnings != nullptr);
  const Names expected{"3des-cbc" + why, "hmac-md5" + why, "modp768" + why, "modp1024" + why, "modp1536" + why, "modp1024s160" + why};
  BOOST_CHECK_EQUAL_COLLECTIONS(warnings->begin(), warnings->end(), expected.begin(), expected.end());
  BOOST_TEST_REQUIRE(rig.log.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(rig.log[i].text == "connection site: " + expected[i]);
  // of an additional key exchange too
  BOOST_TEST(load("aes256-sha256-x25519-ke1_modp1024", "aes128gcm16").list("warnings")->front() == "modp1024" + why);
  BOOST_TEST(load("aes256-sha1-modp2048", "default").list("warnings") == nullptr);
  BOOST_TEST(rig.log.empty());
}

BOOST_AUTO_TEST_CASE(a_connection_may_not_take_a_name_of_the_text) {
  Rig rig;
  vici::Message message;
  message.add_section("vpn-hq");
  BOOST_TEST(rig.error("load-conn", message) == "VPN vpn-hq stands in the configuration text: unload it there, or take another name");
  vici::Message slash;
  slash.add_section("a/b");
  BOOST_TEST(rig.error("load-conn", slash) == "connection name a/b: '/' is not allowed in it");
  BOOST_TEST(rig.error("load-conn") == "expected one section, named as the connection");
  BOOST_TEST(rig.error("load-conn", with({{"site", "x"}})) == "expected one section, named as the connection");
}

BOOST_AUTO_TEST_CASE(ten_thousand_connections_are_applied_a_few_times_at_most) {
  Rig rig;
  std::size_t applied = 0;
  rig.service.on_overlay = [&] { ++applied; };
  for (int i = 0; i < 10'000; ++i) {
    rig.load_conn("site" + std::to_string(i));
    rig.loop.poll();
  }
  rig.loop.run_for(std::chrono::milliseconds(1500));
  BOOST_TEST(rig.service.overlay.vpns.size() == 10'000U);
  BOOST_TEST(applied >= 1U);
  BOOST_TEST(applied < 100U);
}

BOOST_AUTO_TEST_CASE(what_the_engine_refuses_is_told_by_who_needs_it) {
  Rig rig;
  rig.service.overlay_status = config_error("a VPN site is in the text");
  rig.load_conn("site");
  BOOST_TEST(rig.error("initiate", with({{"ike", "site"}})) == "a VPN site is in the text");
  BOOST_TEST(rig.error("initiate", with({{"ike", "site"}})) == "a VPN site is in the text");
  BOOST_TEST(rig.log.back().text == "connections and secrets loaded over the control socket are not in force: a VPN site is in the text");
}

BOOST_AUTO_TEST_CASE(shared_secrets_reach_the_engine_for_each_owner_and_each_pair) {
  Rig rig;
  vici::Message message = with({{"id", "ike-site"}, {"type", "IKE"}, {"data", "secret"}});
  message.add_list("owners", {"@gwa.example", "gwb.example"});
  BOOST_TEST(rig.error("load-shared", message) == "");
  BOOST_TEST(rig.error("load-shared", with({{"id", "eap-joe"}, {"type", "eap"}, {"data", "x"}})) == "");
  BOOST_TEST((*rig.call("get-shared").list("keys") == vici::List{"eap-joe", "ike-site"}));
  BOOST_TEST(rig.loaded.overlay.apply().has_value());
  BOOST_TEST_REQUIRE(rig.service.overlay.eap_keys.size() == 1U);
  BOOST_TEST(rig.service.overlay.eap_keys[0]->ids.empty());
  BOOST_TEST((as_text(rig.service.overlay.eap_keys[0]->secret.view()) == "x"));
  const auto& keys = rig.service.overlay.preshared_keys;
  BOOST_TEST_REQUIRE(keys.size() == 3U);
  BOOST_TEST(keys[0]->ids.size() == 2U);
  BOOST_TEST(keys[1]->ids.front().to_string() == "gwa.example");
  BOOST_TEST((as_text(keys[2]->secret.view()) == "secret"));
  BOOST_TEST(rig.error("unload-shared", with({{"id", "ike-site"}})) == "");
  BOOST_TEST(rig.error("unload-shared", with({{"id", "ike-site"}})) == "no shared secret with id ike-site was loaded");
  BOOST_TEST(rig.loaded.overlay.apply().has_value());
  BOOST_TEST(rig.service.overlay.preshared_keys.empty());
  BOOST_TEST(rig.error("load-shared", with({{"id", "a"}, {"type", "IKE"}})) == "missing data: a secret may not be empty");
  BOOST_TEST(rig.error("load-shared", with({{"type", "RSA"}, {"data", "x"}})) ==
             "invalid shared key type: RSA, expected IKE, EAP, XAUTH, NTLM or PPK");
}

BOOST_AUTO_TEST_CASE(a_ppk_is_loaded_with_the_ids_that_both_ends_know_it_by) {
  Rig rig;
  BOOST_TEST(rig.error("load-shared", with({{"id", "ppk-a"}, {"type", "ppk"}, {"data", "x"}})) ==
             "missing owners: the ids that both ends know the PPK by");
  vici::Message message = with({{"id", "ppk-a"}, {"type", "ppk"}, {"data", "secret"}});
  message.add_list("owners", {"quantum.example", "other.example"});
  BOOST_TEST(rig.error("load-shared", message) == "");
  BOOST_TEST(rig.loaded.overlay.apply().has_value());
  BOOST_TEST(rig.service.overlay.preshared_keys.empty());
  BOOST_TEST_REQUIRE(rig.service.overlay.ppks.size() == 1U);
  BOOST_TEST(rig.service.overlay.ppks[0]->ids.size() == 2U);
  BOOST_TEST((as_text(rig.service.overlay.ppks[0]->secret.view()) == "secret"));
  BOOST_TEST(rig.error("unload-shared", with({{"id", "ppk-a"}})) == "");
  BOOST_TEST(rig.loaded.overlay.apply().has_value());
  BOOST_TEST(rig.service.overlay.ppks.empty());
}

BOOST_AUTO_TEST_CASE(keys_and_certificates_find_each_other) {
  Rig rig;
  rig.client->listening.emplace("list-cert");
  BOOST_TEST(rig.error("load-cert", with({{"type", "X509"}, {"flag", "NONE"}, {"data", octets(kCertificate)}})) == "");
  rig.call("list-certs", with({{"type", "X509"}}));
  BOOST_TEST_REQUIRE(rig.client->events.size() == 1U);
  BOOST_TEST(rig.client->events[0].second.find("has_privkey") == nullptr);
  BOOST_TEST(rig.client->events[0].second.text("flag") == "CA");
  const vici::Message loaded = rig.call("load-key", with({{"type", "any"}, {"data", octets(kPrivateKey)}}));
  BOOST_TEST(loaded.text("success") == "yes");
  BOOST_TEST(loaded.text("id") == kKeyId);
  BOOST_TEST((*rig.call("get-keys").list("keys") == vici::List{std::string(kKeyId)}));
  rig.call("list-certs");
  BOOST_TEST(rig.client->events.at(0).second.text("has_privkey") == "yes");
  BOOST_TEST((rig.client->events.at(0).second.text("data") == octets(kCertificate)));
  rig.call("list-certs", with({{"type", "X509_CRL"}}));
  BOOST_TEST(rig.client->events.empty());
  // PEM is taken as well
  const std::string pem = "-----BEGIN PRIVATE KEY-----\n" + std::string(kPrivateKey) + "\n-----END PRIVATE KEY-----\n";
  BOOST_TEST(rig.call("load-key", with({{"data", pem}})).text("id") == kKeyId);
  BOOST_TEST(rig.call("load-key", with({{"type", "ED25519"}, {"data", pem}})).text("id") == kKeyId);
  BOOST_TEST(rig.error("load-key", with({{"type", "rsa"}, {"data", pem}})) == "data is a private key of type ed25519, not rsa");
  BOOST_TEST(rig.error("load-key", with({{"data", "nonsense"}})) == "data is not a private key in DER or PEM, or is encrypted");
  BOOST_TEST(rig.error("load-cert", with({{"data", octets(kCertificate) + "x"}})) == "data is not an X.509 certificate in DER or PEM");
  BOOST_TEST(rig.error("unload-key", with({{"id", kKeyId}})) == "");
  BOOST_TEST(rig.error("clear-creds") == "");
  rig.call("list-certs");
  BOOST_TEST(rig.client->events.empty());
}

BOOST_AUTO_TEST_CASE(a_key_on_a_token_is_loaded_when_it_was_found) {
  Rig rig;
  rig.client->listening.emplace("list-cert");
  BOOST_TEST(rig.error("load-token") == "missing handle");
  BOOST_TEST(rig.error("load-token", with({{"handle", "0g"}})) == "invalid handle: expected a CKA_ID in hexadecimal");
  BOOST_TEST(rig.error("load-token", with({{"handle", "0a"}, {"slot", "x"}})) == "invalid token: a slot that is not a number");
  const auto asked = with({{"handle", "0a0b"}, {"slot", "7"}, {"module", "/lib/m.so"}, {"pin", "1234"}});
  BOOST_TEST(!rig.request("load-token", asked).has_value());
  BOOST_TEST_REQUIRE(rig.service.token_asked != nullptr);
  BOOST_TEST(as_text(rig.service.token_asked->pin.view()) == "1234");
  BOOST_TEST(rig.service.token_asked->uri.find("1234") == std::string::npos);
  BOOST_TEST(rig.service.token_asked->uri.find("slot-id=7") != std::string::npos);
  rig.service.token_done(system_error("the PIN is wrong"));
  BOOST_TEST(rig.client->answer->text("errmsg") == "the PIN is wrong");
  BOOST_TEST(rig.call("get-keys").list("keys")->empty());
  BOOST_TEST(!rig.request("load-token", asked).has_value());
  const Bytes public_key = crypto::spki_of_certificate(as_bytes(octets(kCertificate))).value();
  rig.service.token_done(auth::TokenKeyFound{"vault", public_key});
  BOOST_TEST(rig.client->answer->text("id") == kKeyId);
  BOOST_TEST((*rig.call("get-keys").list("keys") == vici::List{std::string(kKeyId)}));
  const model::Overlay overlay = rig.loaded.catalogue.overlay();
  BOOST_TEST_REQUIRE(overlay.private_keys.size() == 1U);
  BOOST_TEST_REQUIRE(overlay.private_keys.front()->token != nullptr);
  BOOST_TEST((overlay.private_keys.front()->token->public_key == public_key));
  // where it is, and what is wrong with it, is listed with its certificate
  BOOST_TEST(rig.error("load-cert", with({{"type", "X509"}, {"data", octets(kCertificate)}})) == "");
  rig.service.key_state_answer = {"token vault", "it was pulled"};
  rig.call("list-certs");
  BOOST_TEST(rig.client->events.at(0).second.text("has_privkey") == "yes");
  BOOST_TEST(rig.client->events.at(0).second.text("svti-key-place") == "token vault");
  BOOST_TEST(rig.client->events.at(0).second.text("svti-key-problem") == "it was pulled");
  // for a client that has gone meanwhile nothing is loaded
  BOOST_TEST(rig.error("unload-key", with({{"id", kKeyId}})) == "");
  BOOST_TEST(!rig.request("load-token", asked).has_value());
  rig.client = std::make_shared<Client>();
  rig.service.token_done(auth::TokenKeyFound{"vault", public_key});
  BOOST_TEST(rig.call("get-keys").list("keys")->empty());
}

BOOST_AUTO_TEST_CASE(what_was_fetched_is_forgotten_by_kind) {
  Rig rig;
  vici::Message lists;
  lists.add("type", "x509_crl");
  BOOST_TEST(rig.error("flush-certs", lists) == "");
  BOOST_TEST(rig.service.flushed == "lists ");
  BOOST_TEST(rig.error("flush-certs", {}) == "");
  BOOST_TEST(rig.service.flushed == "lists lists responses ");
}

BOOST_AUTO_TEST_CASE(keys_that_the_signer_makes) {
  Rig rig;
  vici::Message wish;
  BOOST_TEST(rig.error("svti-make-key", wish) == "subject is missing: whose key it is, as in \"C=CH, O=Example, CN=gw\"");
  wish.add("subject", "CN=gw").add("type", "rsa-1");
  BOOST_TEST(rig.error("svti-make-key", wish).starts_with("no key is of type \"rsa-1\": there are ecdsa-p256, "));
  vici::Message odd;
  odd.add("subject", "CN=gw").add_list("san", {"a b"});
  BOOST_TEST(rig.error("svti-make-key", odd) == "\"a b\" is no alternative name: expected an address, a host name, or user@host");
  BOOST_TEST(!rig.service.wished);

  vici::Message good;
  good.add("subject", "CN=gw").add("type", "rsa-3072").add_list("san", {"gw.example.net", "192.0.2.1"});
  BOOST_TEST(!rig.request("svti-make-key", good));
  BOOST_TEST_REQUIRE(rig.service.wished.has_value());
  BOOST_TEST(rig.service.wished->rsa_bits == 3072);
  BOOST_TEST(rig.service.wished->alt_names.size() == 2U);
  rig.service.tell_made(auth::NewKey{{1, 2}, {3}});
  BOOST_TEST_REQUIRE(rig.client->answer.has_value());
  BOOST_TEST(rig.client->answer->text("private-key").starts_with("-----BEGIN SVTI SEALED PRIVATE KEY-----"));
  BOOST_TEST(rig.client->answer->text("request").starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
  // who has left is not told
  (void)rig.request("svti-make-key", good);
  rig.client.reset();
  rig.service.tell_made(system_error("late"));
}

BOOST_AUTO_TEST_CASE(authorities_and_pools) {
  Rig rig;
  vici::Message authority;
  authority.add_section("ca").add("cacert", octets(kCertificate)).add_list("crl_uris", {"http://ca.example/crl"});
  BOOST_TEST(rig.error("load-authority", authority) == "");
  BOOST_TEST((rig.listed("list-authorities", "list-authority") == Names{"ca"}));
  BOOST_TEST(rig.client->events.at(0).second.section("ca")->text("cacert") == "C=CH, O=Example, CN=gw");
  BOOST_TEST(rig.listed("list-certs", "list-cert").size() == 3U);  // type, flag, data of one certificate
  // what cannot be asked is refused
  vici::Message elsewhere;
  elsewhere.add_section("ca").add("cacert", octets(kCertificate)).add_list("crl_uris", {"file:///etc/passwd"});
  BOOST_TEST(rig.error("load-authority", elsewhere).find("file:///etc/passwd is not an http:// or ldap:// URI") != std::string::npos);
  for (const std::string_view base : {"https://ca.example/", "http://ca.example", "http:///certs/", "http://ca.example/a b/"}) {
    vici::Message pathless;
    pathless.add_section("ca").add("cacert", octets(kCertificate)).add("cert_uri_base", base);
    BOOST_TEST(rig.error("load-authority", pathless).find("is not an http:// URI with a path") != std::string::npos, base);
  }
  vici::Message published;
  published.add_section("ca").add("cacert", octets(kCertificate)).add("cert_uri_base", "http://ca.example/certs/");
  BOOST_TEST(rig.error("load-authority", published) == "");
  BOOST_TEST(rig.loaded.overlay.apply().has_value());
  BOOST_TEST_REQUIRE(rig.service.overlay.authorities.size() == 1U);
  BOOST_TEST(rig.service.overlay.authorities[0]->cert_uri_base == "http://ca.example/certs/");
  vici::Message unknown;
  unknown.add_section("ca").add("colour", "red");
  BOOST_TEST(rig.error("load-authority", unknown) == "unknown option: colour, config discarded");
  BOOST_TEST(rig.error("unload-authority", with({{"name", "ca"}})) == "");

  const auto pool = [&](std::string_view addrs) {
    vici::Message message;
    message.add_section("rw").add("addrs", addrs).add_list("dns", {"192.0.2.53"});
    const std::string refused = rig.error("load-pool", message);
    if (!refused.empty()) return refused;
    const vici::Message pools = rig.call("get-pools");
    return std::string(pools.section("rw")->text("base")) + " " + std::string(pools.section("rw")->text("size"));
  };
  BOOST_TEST(pool("10.3.0.0/24") == "10.3.0.1 254");
  BOOST_TEST(pool("10.3.0.0/32") == "10.3.0.0 1");
  BOOST_TEST(pool("10.3.0.250-10.3.1.9") == "10.3.0.250 16");
  BOOST_TEST(pool("2001:db8::/64") == "2001:db8::1 2147483647");
  BOOST_TEST(pool("10.3.0.9-10.3.0.1") == "invalid value for: addrs, config discarded (a range that ends before it begins)");
  BOOST_TEST(rig.service.overlay.pools.at("rw")->dns.at(0).to_string() == "192.0.2.53");
  model::PoolState busy{"rw", IpAddress::parse("2001:db8::1").value(), 9, 1, 1, {}};
  busy.leases = {{IpAddress::parse("2001:db8::1").value(), "user1@example.net", true},
                 {IpAddress::parse("2001:db8::2").value(), "", false}};
  rig.service.pool_states = {busy};
  BOOST_TEST(rig.error("unload-pool", with({{"name", "rw"}})) == "pool 'rw' has 1 online lease, unable to unload");
  const vici::Message shown = rig.call("get-pools", with({{"leases", "yes"}, {"name", "rw"}}));
  const vici::Section* leases = shown.section("rw")->section("leases");
  BOOST_TEST(leases->entries().size() == 2U);
  BOOST_TEST(leases->section("0")->text("address") == "2001:db8::1");
  BOOST_TEST(leases->section("0")->text("status") == "online");
  BOOST_TEST(leases->section("1")->text("identity") == "%any");
  BOOST_TEST(leases->section("1")->text("status") == "offline");
  BOOST_TEST(rig.call("get-pools", with({{"leases", "yes"}, {"from", "1"}})).section("rw")->section("leases")->entries().size() == 1U);
  rig.service.pool_states.clear();
  BOOST_TEST(rig.error("unload-pool", with({{"name", "rw"}})) == "");
  BOOST_TEST(rig.error("unload-pool", with({{"name", "rw"}})) == "pool 'rw' not found");
}

BOOST_AUTO_TEST_CASE(commands_about_sas_take_names_and_ids) {
  Rig rig;
  auto blue = std::make_shared<model::Configuration>();
  blue->vpns["branch"] = test::vpn("branch", {"lan"});
  rig.service.other_vrfs["blue"] = blue;
  model::IkeSaState branch = test::guide_ike_sa();
  branch.name = "branch";
  branch.unique_id = 77;
  rig.service.other_states["blue"].ike_sas = {branch};

  BOOST_TEST((rig.listed("list-sas", "list-sa") == Names{"vpn-hq", "blue/branch"}));
  BOOST_TEST((rig.listed("list-conns", "list-conn") == Names{"vpn-hq", "vpn-lab", "blue/branch"}));
  rig.request("initiate", with({{"child", "lan"}}));
  BOOST_TEST(rig.service.attempts.back().what == "initiate blue/branch lan 0");
  rig.request("terminate", with({{"ike", "blue/branch"}}));
  BOOST_TEST(rig.service.attempts.back().what == "terminate blue/branch  0");
  rig.request("terminate", with({{"ike-id", "77"}}));
  BOOST_TEST(rig.service.attempts.back().target.vrf == "blue");
  BOOST_TEST(rig.service.attempts.back().target.ike_id == 77U);
  rig.service.attempts.back().done({});
  BOOST_TEST(rig.client->answer->text("matches") == "1");
  BOOST_TEST(rig.client->answer->text("terminated") == "1");
  rig.request("rekey", with({{"child-id", "2"}}));
  BOOST_TEST(rig.service.attempts.back().target.child_id == 2U);
  for (const char* verb : {"terminate", "rekey"}) {
    const vici::Message nothing = rig.call(verb, with({{"ike-id", "4711"}}));
    BOOST_TEST(nothing.text("errmsg") == std::string("no matching SAs to ") + verb + " found");
    BOOST_TEST(nothing.text("matches") == "0");
  }
  BOOST_TEST(rig.error("initiate") == "missing name: ike takes a VPN, child a security-policy, ike-id and child-id an SA");
}

BOOST_AUTO_TEST_CASE(traps_are_installed_listed_and_uninstalled) {
  Rig rig;
  BOOST_TEST(rig.error("install", with({{"child", "site2site"}})) == "");
  BOOST_TEST((rig.listed("list-policies", "list-policy", with({{"trap", "yes"}})) == Names{"vpn-hq/site2site"}));
  BOOST_TEST(rig.listed("list-policies", "list-policy", with({{"drop", "yes"}, {"pass", "yes"}})).empty());
  BOOST_TEST(rig.error("uninstall", with({{"child", "site2site"}})) == "");
  BOOST_TEST(rig.error("uninstall", with({{"child", "site2site"}})) == "VPN vpn-hq has no trap");
}

BOOST_AUTO_TEST_CASE(the_daemons_figures) {
  Rig rig;
  rig.service.current.tasks.workers_total = 4;
  rig.service.current.tasks.queued.medium = 7;
  const vici::Message stats = rig.call("stats");
  BOOST_TEST(stats.section("workers")->text("total") == "4");
  BOOST_TEST(stats.section("queues")->text("medium") == "7");
  BOOST_TEST(stats.text("scheduled") == "3");
  const vici::Message algorithms = rig.call("get-algorithms");
  BOOST_TEST(algorithms.section("aead")->text("AES_GCM_16") == "openssl");
  BOOST_TEST(algorithms.section("ke")->text("CURVE_25519") == "openssl");
  BOOST_TEST(rig.error("reset-counters", with({{"name", "vpn-hq"}})) == "");
  BOOST_TEST(rig.error("reset-counters", with({{"all", "yes"}})) == "");
  BOOST_TEST((rig.service.resets == Names{"main vpn-hq", "main  all"}));
  BOOST_TEST(rig.error("reload-settings") == "the daemon has no configuration file to read again");
  rig.loaded.reload = [] { return config_error("line 3 is wrong"); };
  BOOST_TEST(rig.error("reload-settings") == "line 3 is wrong");
}

BOOST_AUTO_TEST_CASE(happenings_become_the_protocols_events) {
  engine::Event event;
  event.kind = engine::Event::Kind::ChildUp;
  event.vrf = "main";
  event.vpn = "vpn-hq";
  event.child_id = 2;
  event.ike = std::make_shared<model::IkeSaState>(test::guide_ike_sa());
  auto events = control::sa_events(event);
  BOOST_TEST_REQUIRE(events.size() == 2U);
  BOOST_TEST(events[0].first == "child-updown");
  BOOST_TEST(events[0].second.text("up") == "yes");
  const vici::Section* child = events[0].second.section("vpn-hq")->section("child-sas")->section("site2site-2");
  BOOST_TEST_REQUIRE(child != nullptr);
  BOOST_TEST(child->text("state") == "INSTALLED");
  BOOST_TEST(events[1].first == "child-state-installed");
  BOOST_TEST(events[1].second.find("up") == nullptr);

  event.kind = engine::Event::Kind::ChildDown;
  events = control::sa_events(event);
  BOOST_TEST(events.at(0).second.find("up") == nullptr);
  BOOST_TEST(events.at(1).first == "child-state-destroying");

  event.kind = engine::Event::Kind::IkeUp;
  events = control::sa_events(event);
  BOOST_TEST(events.at(0).first == "ike-updown");
  BOOST_TEST(events.at(0).second.section("vpn-hq")->section("child-sas") == nullptr);

  model::IkeSaState successor = test::guide_ike_sa();
  successor.unique_id = 9;
  model::ChildSaState next = successor.children.front();
  next.unique_id = 3;
  successor.children.push_back(next);
  event.former = event.ike;
  event.former_id = 1;
  event.ike = std::make_shared<model::IkeSaState>(successor);
  event.kind = engine::Event::Kind::IkeRekeyed;
  events = control::sa_events(event);
  BOOST_TEST(events.at(0).second.section("vpn-hq")->section("old")->text("uniqueid") == "1");
  BOOST_TEST(events.at(0).second.section("vpn-hq")->section("new")->text("uniqueid") == "9");

  event.kind = engine::Event::Kind::ChildRekeyed;
  event.child_id = 3;
  event.former_id = 2;
  events = control::sa_events(event);
  BOOST_TEST_REQUIRE(events.size() == 3U);
  const vici::Section* pair = events[0].second.section("vpn-hq")->section("child-sas")->section("site2site");
  BOOST_TEST(pair->section("old")->text("uniqueid") == "2");
  BOOST_TEST(pair->section("new")->text("uniqueid") == "3");

  // the one that was replaced goes: its policy is not down, but whoever counts CHILD SAs has to know
  event.kind = engine::Event::Kind::ChildGone;
  event.child_id = 2;
  events = control::sa_events(event);
  BOOST_TEST_REQUIRE(events.size() == 1U);
  BOOST_TEST(events[0].first == "child-state-destroying");
  BOOST_TEST(events[0].second.section("vpn-hq")->section("child-sas")->section("site2site-2") != nullptr);

  engine::Event alert;
  alert.kind = engine::Event::Kind::Alert;
  alert.alert = "retransmit-send-timeout";
  BOOST_TEST(control::sa_events(alert).at(0).second.text("type") == "retransmit-send-timeout");
}

BOOST_AUTO_TEST_SUITE_END()
