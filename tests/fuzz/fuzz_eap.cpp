// SPDX-License-Identifier: Apache-2.0
// EAP conversations with an end that says anything. The first octet says which end is ours, which method, and whether the other end's
// packets are mended: then they have the length and the identifier that are expected, so that what is inside is reached. With EAP-TLS both
// ends are ours, and the input says what happens to the packets between them: nobody comes through with another key than the other end has.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "crypto/issuing.h"
#include "crypto/signature.h"
#include "eap/conversation.h"

using namespace svti;
using eap::Step;

namespace {

constexpr std::size_t kMostPackets = 16;

// the same in every run
class CountingEntropy : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = next_ = static_cast<std::uint8_t>(next_ * 5 + 3);
  }

 private:
  std::uint8_t next_ = 1;
};

// the next packet: a length octet and so many octets
Bytes next_packet(Reader& input, bool mend, eap::Code code, std::uint8_t identifier) {
  const std::size_t size = std::min<std::size_t>(*input.u8(), input.remaining());
  Bytes out = to_bytes(*input.take(size));
  if (!mend) return out;
  out.insert(out.begin(), {static_cast<std::uint8_t>(code), identifier, 0, 0});
  if (out.size() == 5 && out[4] == 0) out.pop_back();
  if (out.size() == 4) out[0] = static_cast<std::uint8_t>(identifier % 2 == 0 ? eap::Code::Success : eap::Code::Failure);
  out[2] = static_cast<std::uint8_t>(out.size() >> 8);
  out[3] = static_cast<std::uint8_t>(out.size());
  // MSCHAPv2 has another length within
  if (out.size() >= 9 && out[4] == static_cast<std::uint8_t>(eap::Type::MsChapV2)) {
    out[7] = static_cast<std::uint8_t>((out.size() - 5) >> 8);
    out[8] = static_cast<std::uint8_t>(out.size() - 5);
  }
  return out;
}

void check(const Step& step, bool server) {
  if (step.kind == Step::Kind::Failure && step.reason.empty()) std::abort();
  if (step.reason.size() > 2000) std::abort();
  if (step.kind == Step::Kind::Send && !eap::parse_packet(step.packet)) std::abort();
  // nobody who does not have the password gets that far
  if (step.kind == Step::Kind::Success && server) std::abort();
  if (step.kind == Step::Kind::Success && !step.msk.empty()) std::abort();
}

// ---- EAP-TLS

struct TlsEnd {
  Secret key;
  Bytes certificate;

  static const TlsEnd& of(bool server) {
    static const TlsEnd kServer = make("CN=gw"), kUser = make("CN=joe");
    return server ? kServer : kUser;
  }
  static TlsEnd make(std::string subject) {
    crypto::CertificateRequest request;
    request.subject = std::move(subject);
    request.not_before = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    request.not_after = std::chrono::sys_days(std::chrono::year(2046) / 1 / 1);
    Secret made = crypto::new_private_key(crypto::KeyType::EcdsaP256).value();
    Bytes certificate = crypto::self_sign(request, made.view()).value();
    return {std::move(made), std::move(certificate)};
  }
  crypto::TlsSession::Setup setup(bool server) const {
    const auto role = server ? crypto::TlsSession::Role::Server : crypto::TlsSession::Role::Client;
    return {role, {{certificate, {}}}, {}};
  }
  eap::Answer answer(const eap::Question& question) const {
    if (std::holds_alternative<eap::ChainQuestion>(question)) return std::optional<crypto::ChainFailure>();
    const crypto::SignatureWish& wish = std::get<eap::SignatureQuestion>(question).wish;
    const std::array hashes = {wish.hash};
    return crypto::bare_signature(crypto::SigningKey::from_pkcs8(key.view())->sign(wish.octets, hashes, wish.padding).value(), wish);
  }
};

// what the input does to a packet
void harm(Reader& input, Bytes& packet) {
  const auto what = input.u8();
  if (!what || packet.size() < 6) return;
  switch (*what % 4) {
    case 0:
      return;
    case 1: {
      const std::size_t at = 5 + input.u16().value_or(0) % (packet.size() - 5);
      packet[at] ^= input.u8().value_or(0);
      return;
    }
    case 2:
      packet.resize(5 + input.u16().value_or(0) % (packet.size() - 5));
      break;
    default: {
      const std::size_t size = std::min<std::size_t>(input.u8().value_or(0), input.remaining());
      const Bytes content = to_bytes(*input.take(size));
      packet.resize(5);
      packet.insert(packet.end(), content.begin(), content.end());
      break;
    }
  }
  packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
  packet[3] = static_cast<std::uint8_t>(packet.size());
}

void run_tls(Reader& input) {
  CountingEntropy entropy;
  const TlsEnd &gateway = TlsEnd::of(true), &user = TlsEnd::of(false);
  eap::Server server(gateway.setup(true), {'j', 'o', 'e'}, entropy);
  eap::Peer peer(user.setup(false), {'j', 'o', 'e'});
  const bool leave = (input.u8().value_or(0) & 1) != 0;  // in the middle of a question
  const auto settled = [&](Step step, auto& end, const TlsEnd& by) {
    while (step.kind == Step::Kind::Ask && !(leave && input.empty())) step = end.answer(by.answer(*step.question));
    if (step.kind == Step::Kind::Failure && (step.reason.empty() || step.reason.size() > 2000)) std::abort();
    if (step.kind == Step::Kind::Send && !eap::parse_packet(step.packet)) std::abort();
    return step;
  };
  Step said = settled(server.begin(), server, gateway);
  Secret servers;
  for (int packets = 0; packets < 80; ++packets) {
    if (said.kind == Step::Kind::Success) servers = said.msk.clone();
    if (said.packet.empty()) return;
    harm(input, said.packet);
    Step answer = settled(peer.receive(said.packet), peer, user);
    if (answer.kind == Step::Kind::Success && (servers.empty() || to_hex(servers.view()) != to_hex(answer.msk.view()))) std::abort();
    if (answer.kind != Step::Kind::Send || said.kind != Step::Kind::Send) return;
    harm(input, answer.packet);
    said = settled(server.receive(answer.packet), server, gateway);
  }
  std::abort();  // it has to end
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader input(ByteView(data, size));
  const auto mode = input.u8();
  if (!mode) return 0;
  if ((*mode & 32) != 0) {
    run_tls(input);
    return 0;
  }
  const eap::Type method = (*mode & 1) != 0 ? eap::Type::MsChapV2 : eap::Type::Md5Challenge;
  const bool mend = (*mode & 2) != 0, server = (*mode & 4) != 0, known = (*mode & 8) != 0;
  CountingEntropy entropy;
  if (server) {
    const auto password = [&](const Bytes&) -> Result<Secret> {
      if (!known) return config_error("no eap-key");
      return Secret(as_bytes("a password that no fuzzer finds"));
    };
    eap::Server gateway(method, (*mode & 16) != 0 ? Bytes{'j', 'o', 'e'} : Bytes{}, "gw", password, entropy);
    Step step = gateway.begin();
    for (std::size_t i = 0; i < kMostPackets && step.kind == Step::Kind::Send && !input.empty(); ++i) {
      check(step, true);
      step = gateway.receive(next_packet(input, mend, eap::Code::Response, step.packet[1]));
    }
    check(step, true);
    return 0;
  }
  eap::Peer user(method, {'j', 'o', 'e'}, Secret(as_bytes("a password that no fuzzer finds")), entropy);
  Step step{Step::Kind::Send, eap::encode_packet(eap::Code::Response, 0, eap::Type::Identity, {})};
  for (std::uint8_t i = 0; i < kMostPackets && step.kind == Step::Kind::Send && !input.empty(); ++i) {
    check(step, false);
    step = user.receive(next_packet(input, mend, eap::Code::Request, i));
  }
  check(step, false);
  return 0;
}
