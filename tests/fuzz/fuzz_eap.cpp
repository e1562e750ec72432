// SPDX-License-Identifier: Apache-2.0
// EAP conversations with an end that says anything. The first octet says which end is ours, which method, and whether the other end's
// packets are mended: then they have the length and the identifier that are expected, so that what is inside is reached.
#include <algorithm>
#include <cstdlib>

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader input(ByteView(data, size));
  const auto mode = input.u8();
  if (!mode) return 0;
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
