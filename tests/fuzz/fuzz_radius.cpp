// SPDX-License-Identifier: Apache-2.0
// What RADIUS servers, and whoever takes their place, may send. The first octet says what is done with the rest: parsed as it is; taken by
// a client as answer; signed with the secret first, so that what stands behind the authenticators is reached; a Disconnect or CoA.
#include <cstdlib>

#include "radius/client.h"
#include "radius/dynamic_authorization.h"
#include "radius/eap.h"

using namespace svti;
using namespace svti::radius;

namespace {

class CountingEntropy : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

// not `known`: the input may hold what was made with the other secret, and gets nowhere with it
model::RadiusPtr configuration(bool known = true) {
  auto out = std::make_shared<model::Radius>();
  model::RadiusServer& server = out->servers.emplace_back();
  server.name = "fr";
  server.address = *IpAddress::parse("192.0.2.9");
  server.secret = Secret(as_bytes(known ? "xyzzy5461" : "a secret that the input does not know"));
  server.nas_identifier = "gw";
  return out;
}

// attributes as they are, without a look at what is in them
Attributes raw(ByteView octets) {
  Attributes out;
  while (octets.size() >= 2) {
    const std::size_t size = std::min<std::size_t>(octets[1], octets.size() - 2);
    out.add(static_cast<Type>(octets[0]), octets.subspan(2, std::min<std::size_t>(size, kMaxValueSize)));
    octets = octets.subspan(2 + size);
  }
  return out;
}

void parse(ByteView octets) {
  const auto packet = parse_packet(octets);
  if (!packet) return;
  std::size_t size = kHeaderSize;
  for (const AttributeView& one : packet->attributes) size += one.value.size() + 2;
  if (size != packet->octets.size()) std::abort();
  (void)packet->of_vendor(311, 17);
  // nobody without the secret gets that far
  if (verify_response(*packet, {}, Secret(as_bytes("a secret that the input does not know")), true)) std::abort();
}

void answer(ByteView octets, bool mend) {
  static CountingEntropy entropy;
  static const model::RadiusPtr kKnown = configuration(), kUnknown = configuration(false);
  const model::RadiusPtr& configured = mend ? kKnown : kUnknown;
  Client client(configured, entropy);
  Client::Effects effects;
  client.ask({Code::AccessRequest, Attributes().add(Type::UserName, std::string_view("joe"))}, TimePoint(), effects);
  Client::Socket socket;
  Bytes packet = to_bytes(octets);
  for (const Client::Effect& effect : effects) {
    const auto* sent = std::get_if<Client::Send>(&effect);
    if (sent == nullptr) continue;
    socket = sent->socket;
    const auto request = parse_packet(sent->packet);
    if (!mend || octets.empty()) continue;
    auto made = encode_response(static_cast<Code>(octets[0]), request->id, raw(octets.subspan(1)), configured->servers[0].secret,
                                request->authenticator);
    if (!made) return;
    packet = std::move(*made);
  }
  effects.clear();
  client.receive(socket, packet, effects);
  for (Client::Effect& effect : effects) {
    auto* came = std::get_if<Client::Answer>(&effect);
    if (came == nullptr) continue;
    if (!mend) std::abort();
    const EapAnswer said = read_answer(std::move(came->reply), 7);
    const bool good = said.kind == EapAnswer::Kind::Accept || said.kind == EapAnswer::Kind::Challenge;
    if (good != said.reason.empty() || said.reason.size() > 2000) std::abort();
    if (good && said.packet.size() < 4) std::abort();
    if (!said.msk.empty() && said.msk.size() < 64) std::abort();
  }
}

void ask(ByteView octets, bool mend) {
  constexpr seconds kNow{1700000000};
  static const model::RadiusPtr kKnown = configuration(), kUnknown = configuration(false);
  const model::RadiusPtr& configured = mend ? kKnown : kUnknown;
  DynamicAuthorization dynamic(configured);
  Bytes packet = to_bytes(octets);
  if (mend) {
    if (octets.empty()) return;
    Attributes attributes = raw(octets.subspan(1));
    attributes.add(Type::EventTimestamp, static_cast<std::uint32_t>(kNow.count()));
    auto made =
        encode_request((octets[0] & 1) != 0 ? Code::DisconnectRequest : Code::CoaRequest, 1, attributes, configured->servers[0].secret);
    if (!made) return;
    packet = std::move(*made);
  }
  const auto outcome = dynamic.receive({configured->servers[0].address, 40000}, packet, kNow);
  if (!mend && (outcome.request || outcome.response)) std::abort();
  if (outcome.request && outcome.response) std::abort();
  if (outcome.request && dynamic.answer(std::nullopt).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      parse(rest);
      break;
    case 1:
      answer(rest, false);
      break;
    case 2:
      answer(rest, true);
      break;
    case 3:
      ask(rest, false);
      break;
    default:
      ask(rest, true);
  }
  return 0;
}
