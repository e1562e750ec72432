// SPDX-License-Identifier: Apache-2.0
// The signer's process: what it signs, what it cannot do, and what the daemon does when it dies.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "crypto/sealed_key.h"
#include "signer/client.h"
#include "signer/key_maker.h"
#include "support/forked.h"
#include "support/pki.h"
#include "support/temporary_folder.h"

using namespace svti;
using signer::Client;
using signer::Started;

namespace {

using test::forked;

int serve_without_sealing(int socket) { return signer::serve(socket, ""); }

struct Rig {
  boost::asio::io_context loop{1};
  std::vector<std::string> log;
  Client client{loop, [] { return forked(serve_without_sealing); }, [this](const LogLine& line) { log.push_back(line.text); }};
  std::optional<Result<crypto::Signature>> answer;

  void ask(const Bytes& id, Bytes octets = Bytes(100)) {
    answer.reset();
    client.sign({id, std::move(octets), {crypto::SignatureHash::Sha256, crypto::SignatureHash::Identity}, crypto::RsaPadding::Pss},
                [this](Result<crypto::Signature> signature) { answer = std::move(signature); });
    for (int i = 0; i < 2000 && !answer; ++i) loop.run_for(std::chrono::milliseconds(5));
    BOOST_REQUIRE(answer);
  }
};

std::shared_ptr<const model::PrivateKey> new_key(crypto::KeyType type, Bytes* public_key = nullptr) {
  const test::Holder holder{test::need(crypto::new_private_key(type, 2048)), {}};
  if (public_key != nullptr) *public_key = test::need(crypto::SigningKey::from_pkcs8(holder.key.view())).public_key();
  return test::private_key(holder);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(signer_process)

BOOST_AUTO_TEST_CASE(it_signs_with_every_kind_of_key) {
  Rig rig;
  for (const auto type : {crypto::KeyType::Rsa, crypto::KeyType::EcdsaP256, crypto::KeyType::Ed25519}) {
    Bytes public_key;
    const auto key = new_key(type, &public_key);
    rig.client.set_keys({key});
    const Bytes octets(60'000, 7);
    rig.ask(key->id, octets);
    BOOST_TEST_REQUIRE(rig.answer->has_value());
    BOOST_TEST(crypto::VerifyingKey::from_spki(public_key)->verify(**rig.answer, octets).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_is_not_there_or_not_any_more_is_said_to_be) {
  Rig rig;
  const auto key = new_key(crypto::KeyType::EcdsaP256);
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message == "the signer has no such key");
  rig.client.set_keys({key});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
  rig.client.set_keys({});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message == "the signer has no such key");
}

BOOST_DATA_TEST_CASE(the_daemon_survives_its_death_and_starts_another, boost::unit_test::data::make({false, true}), is_gone) {
  Rig rig;
  const auto key = new_key(crypto::KeyType::EcdsaP256);
  rig.client.set_keys({key});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
  const pid_t first = rig.client.process();
  kill(first, SIGKILL);
  // asked while it dies, or when its end is still to be read from the socket
  siginfo_t end{};
  if (is_gone) BOOST_TEST_REQUIRE(waitid(P_PID, static_cast<id_t>(first), &end, WEXITED | WNOWAIT) == 0);
  rig.ask(key->id);
  BOOST_TEST_REQUIRE(!rig.answer->has_value());
  BOOST_TEST(rig.answer->error().message == "the signer has ended: signal 9 (Killed)");
  BOOST_TEST_REQUIRE(!rig.log.empty());
  BOOST_TEST(rig.log.front().starts_with("the signer has ended (signal 9 (Killed)): nothing can be signed until"));
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message.starts_with("the signer has ended"));
  rig.loop.run_for(std::chrono::milliseconds(500));
  BOOST_TEST(rig.client.process() != first);
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
}

#if !defined(__SANITIZE_ADDRESS__)
BOOST_AUTO_TEST_CASE(behind_its_filter_there_are_no_files_no_sockets_and_no_processes) {
  const auto attempts = {
      +[] { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); },
      +[] { return socket(AF_INET, SOCK_DGRAM, 0); },
      +[] { return static_cast<int>(fork()); },
      +[] {
        char* none[] = {nullptr};
        return execve("/bin/true", none, none);
      },
      +[] { return kill(getppid(), 0); },
  };
  for (const auto& attempt : attempts) {
    const auto child = forked([&](int socket) {
      if (!signer::enter_sandbox(socket)) return 1;
      (void)attempt();
      return 2;
    });
    int status = 0;
    BOOST_TEST_REQUIRE(waitpid(child->process, &status, 0) == child->process);
    close(child->socket);
    BOOST_TEST(WIFSIGNALED(status));
    BOOST_TEST(WTERMSIG(status) == SIGSYS);
  }
}
#endif

BOOST_AUTO_TEST_CASE(a_daemon_gone_mad_gets_no_further) {
  const auto child = forked(serve_without_sealing);
  for (const Bytes& packet : {Bytes{0}, Bytes{9, 9}, Bytes{1}, Bytes{1, 200, 1}, Bytes{2, 1, 1, 1}, Bytes{3, 0}, Bytes(90'000, 3),
                              Bytes{1, 1, 1, 0x30}, Bytes{4}, Bytes{4, 1, 1, 1, 0, 9}, Bytes{5},
                              Bytes{5, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0}, Bytes{5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 255, 255}}) {
    BOOST_TEST(send(child->socket, packet.data(), packet.size(), 0) == static_cast<ssize_t>(packet.size()));
  }
  const Secret question = encode(signer::Request(signer::SignOctets{5, {{1}, {2}, {}, crypto::RsaPadding::Pss}}));
  BOOST_TEST(send(child->socket, question.view().data(), question.size(), 0) > 0);
  // what it answers first may be to one of the above; the last is to this
  Bytes answer(1000);
  ssize_t size = 0;
  do size = recv(child->socket, answer.data(), answer.size(), 0);
  while (size > 0 && signer::decode_answer(ByteView(answer).first(static_cast<std::size_t>(size)))->number != 5);
  BOOST_TEST(size > 0);
  close(child->socket);
  int status = 0;
  BOOST_TEST(waitpid(child->process, &status, 0) == child->process);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

namespace {

// a signer and a maker of keys with a sealing key in a file of that folder
struct SealingRig {
  test::TemporaryFolder folder;
  std::string path = folder.file("state/sealing-key");
  boost::asio::io_context loop{1};
  std::vector<std::string> log;
  std::function<Result<Started>()> begin = [this] { return forked([this](int socket) { return signer::serve(socket, path); }); };
  signer::KeyMaker maker{loop, begin};

  Result<auth::NewKey> make(auth::NewKeyWish wish) {
    std::optional<Result<auth::NewKey>> made;
    loop.restart();
    maker.make(std::move(wish), [&](Result<auth::NewKey> key) { made = std::move(key); });
    for (int i = 0; i < 12'000 && !made; ++i) loop.run_for(std::chrono::milliseconds(5));
    BOOST_REQUIRE(made);
    return std::move(*made);
  }
  Result<crypto::Signature> sign(const crypto::SealedKey& key, const Bytes& octets) {
    loop.restart();
    Client client(loop, begin, [this](const LogLine& line) { log.push_back(line.text); });
    client.set_keys({std::make_shared<const model::PrivateKey>(model::PrivateKey{key.key_id, Secret(), nullptr, key.octets})});
    std::optional<Result<crypto::Signature>> answer;
    client.sign({key.key_id, octets, {crypto::SignatureHash::Sha256, crypto::SignatureHash::Identity}, crypto::RsaPadding::Pss},
                [&](Result<crypto::Signature> signature) { answer = std::move(signature); });
    for (int i = 0; i < 2000 && !answer; ++i) loop.run_for(std::chrono::milliseconds(5));
    BOOST_REQUIRE(answer);
    state = client.state(key.key_id);
    return std::move(*answer);
  }
  auth::KeyState state;  // of the key that sign() was last about
};

const auth::NewKeyWish kWish{crypto::KeyType::EcdsaP256, 0, "C=CH, CN=gw", {test::dns("gw.example.net")}};

crypto::SealedKey read_back(const auth::NewKey& key) {
  return test::need(crypto::parse_sealed_key(as_bytes(crypto::to_pem(crypto::kSealedKeyLabel, key.sealed))));
}

}  // namespace

BOOST_DATA_TEST_CASE(a_key_that_it_made_signs_and_nobody_else_can_open_it,
                     boost::unit_test::data::make({"rsa-2048", "ecdsa-p256", "ed25519"}), kind) {
  SealingRig rig;
  auth::NewKeyWish wish = kWish;
  wish.type = crypto::find_key_kind(kind)->type;
  wish.rsa_bits = crypto::find_key_kind(kind)->rsa_bits;
  const auth::NewKey made = test::need(rig.make(wish));
  struct stat about {};
  BOOST_TEST_REQUIRE(stat(rig.path.c_str(), &about) == 0);
  BOOST_TEST((about.st_mode & 0777) == 0600U);
  BOOST_TEST(about.st_size == 32);

  const auto request = test::need(crypto::read_pkcs10(made.request));
  BOOST_TEST(request.subject_text == "C=CH, CN=gw");
  BOOST_TEST((request.alt_names == wish.alt_names));
  const crypto::SealedKey sealed = read_back(made);
  const Bytes octets(500, 3);
  const auto signature = rig.sign(sealed, octets);
  BOOST_TEST_REQUIRE(signature.has_value(), (signature ? "" : signature.error().message));
  BOOST_TEST(crypto::VerifyingKey::from_spki(request.public_key)->verify(*signature, octets).has_value());
  BOOST_TEST(rig.log.empty());

  SealingRig other;
  BOOST_TEST(
      other.sign(sealed, octets).error().message ==
      "the sealed private key cannot be opened: it was sealed by another gateway, or with a sealing key that is gone: make a new one");
  BOOST_TEST(rig.state.problem == "");
  BOOST_TEST(other.state.problem.starts_with("the sealed private key cannot be opened"));
  BOOST_TEST_REQUIRE(other.log.size() == 1U);
  BOOST_TEST(
      other.log.front().starts_with("private key " + to_hex(sealed.key_id) + " cannot sign: the sealed private key cannot be opened"));
}

// A trial that met the end of the signer says nothing of the key.
BOOST_AUTO_TEST_CASE(a_sealed_key_is_tried_again_by_the_next_signer) {
  SealingRig rig;
  const crypto::SealedKey key = read_back(test::need(rig.make(kWish)));
  int starts = 0;
  rig.loop.restart();
  Client client(rig.loop, [&] { return ++starts == 1 ? forked([](int) { return 1; }) : rig.begin(); }, {});
  client.set_keys({std::make_shared<const model::PrivateKey>(model::PrivateKey{key.key_id, Secret(), nullptr, key.octets})});
  for (int i = 0; i < 400 && (starts < 2 || !client.state(key.key_id).problem.empty()); ++i) {
    rig.loop.run_for(std::chrono::milliseconds(5));
    if (starts == 1 && i > 20) BOOST_TEST_REQUIRE(client.state(key.key_id).problem.starts_with("the signer has ended"));
  }
  BOOST_TEST(starts == 2);
  BOOST_TEST(client.state(key.key_id).problem == "");
}

BOOST_AUTO_TEST_CASE(a_sealed_key_that_was_changed_does_not_open) {
  SealingRig rig;
  const auth::NewKey made = test::need(rig.make(kWish));
  const Secret sealing = test::need(signer::sealing_key(rig.path));
  BOOST_TEST(crypto::open_sealed_key(made.sealed, sealing).has_value());
  for (std::size_t at = 0; at < made.sealed.size(); ++at) {
    Bytes changed = made.sealed;
    changed[at] ^= 1;
    BOOST_TEST(!crypto::open_sealed_key(changed, sealing));
  }
  for (std::size_t size = 0; size < made.sealed.size(); ++size)
    BOOST_TEST(!crypto::open_sealed_key(ByteView(made.sealed).first(size), sealing));
}

BOOST_AUTO_TEST_CASE(a_sealing_key_that_is_no_secret_or_not_whole_is_not_used) {
  SealingRig rig;
  const auth::NewKey made = test::need(rig.make(kWish));
  BOOST_REQUIRE(chmod(rig.path.c_str(), 0640) == 0);
  BOOST_TEST(rig.make(kWish).error().message.find("may be read by others, so it protects nothing") != std::string::npos);
  BOOST_TEST(rig.sign(read_back(made), Bytes(3)).error().message.find("may be read by others") != std::string::npos);
  BOOST_REQUIRE(chmod(rig.path.c_str(), 0600) == 0 && truncate(rig.path.c_str(), 31) == 0);
  BOOST_TEST(rig.make(kWish).error().message.find("does not hold a sealing key of 32 octets") != std::string::npos);
  BOOST_REQUIRE(unlink(rig.path.c_str()) == 0 && symlink("/dev/zero", rig.path.c_str()) == 0);
  BOOST_TEST(rig.make(kWish).error().message.find("cannot be read") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_is_refused_with_its_reason) {
  SealingRig rig;
  auth::NewKeyWish wish = kWish;
  wish.subject = "gw";
  BOOST_TEST(rig.make(wish).error().message.find("is not ATTRIBUTE=VALUE") != std::string::npos);
  wish = kWish;
  wish.type = crypto::KeyType::Rsa;
  wish.rsa_bits = 1024;
  BOOST_TEST(rig.make(wish).error().message == "an RSA key has 2048 to 16384 bits");

  // one at a time; the process that dies is told of, and the next one is another
  std::optional<Result<auth::NewKey>> first, second;
  rig.loop.restart();
  rig.maker.make(kWish, [&](Result<auth::NewKey> key) { first = std::move(key); });
  rig.maker.make(kWish, [&](Result<auth::NewKey> key) { second = std::move(key); });
  BOOST_TEST_REQUIRE(second.has_value());
  BOOST_TEST(second->error().message == "another key is being made: try again when it is done");
  for (int i = 0; i < 2000 && !first; ++i) rig.loop.run_for(std::chrono::milliseconds(5));
  BOOST_TEST_REQUIRE(first.has_value());
  BOOST_TEST(first->has_value());
  rig.begin = [] { return forked([](int) { return 1; }); };
  signer::KeyMaker dying(rig.loop, rig.begin);
  first.reset();
  rig.loop.restart();
  dying.make(kWish, [&](Result<auth::NewKey> key) { first = std::move(key); });
  for (int i = 0; i < 2000 && !first; ++i) rig.loop.run_for(std::chrono::milliseconds(5));
  BOOST_TEST_REQUIRE(first.has_value());
  BOOST_TEST(!first->has_value());
}

BOOST_AUTO_TEST_SUITE_END()
