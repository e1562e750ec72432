// SPDX-License-Identifier: Apache-2.0
// A datagram from anybody. What parses must, once written, parse to the same; selectors must answer whatever they are.
#include <cstdlib>

#include "wire/configuration.h"
#include "wire/message.h"
#include "wire/redirect.h"

using namespace svti;
using namespace svti::wire;

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

void use(const TsPayload& ts) {
  for (const TrafficSelector& selector : ts.selectors) {
    const auto covering = selector.prefixes();
    check(!covering.empty() && covering.size() <= 254);
    check(covering.front().first() == selector.start && covering.back().last() == selector.end);
    check(!selector.to_string().empty() && selector.contains(selector));
    for (const TrafficSelector& common : intersect(ts.selectors.front(), selector)) {
      check(selector.contains(common) && ts.selectors.front().contains(common));
    }
  }
}

// What is read is written so that it is read the same.
void use(const ConfigPayload& payload) {
  const auto read = read_configuration(payload);
  if (!read) return;
  Configuration said = *read;
  std::erase_if(said.nbns, [](const IpAddress& one) { return one.is_v6(); });
  const auto again = read_configuration(write_configuration(ConfigType::Request, said));
  check(again && again->addresses.size() == said.addresses.size() && again->dns == said.dns && again->subnets == said.subnets);
}

void use(const NotifyPayload& notify) {
  check(!to_string(notify.type).empty());
  if (const auto redirect = parse_redirect(notify.data)) check(encode_redirect(redirect->gateway, redirect->nonce) == notify.data);
}

// What parsing drops by design is dropped here too: attributes that make a transform useless, selectors of unknown types.
std::vector<Payload> writable(std::vector<Payload> payloads) {
  std::erase_if(payloads, [](const Payload& one) {
    const auto* ts = std::get_if<TsPayload>(&one);
    const bool sealed = std::holds_alternative<EncryptedPayload>(one) || std::holds_alternative<EncryptedFragmentPayload>(one);
    return sealed || (ts != nullptr && ts->selectors.empty());
  });
  for (Payload& one : payloads) {
    auto* sa = std::get_if<SaPayload>(&one);
    if (sa == nullptr) continue;
    for (Proposal& proposal : sa->proposals) {
      for (Transform& transform : proposal.transforms) transform.unknown_attribute = false;
    }
  }
  return payloads;
}

void check_chain(const std::vector<Payload>& parsed) {
  for (const Payload& one : parsed) {
    check(!to_string(type_of(one)).empty());
    if (const auto* ts = std::get_if<TsPayload>(&one)) use(*ts);
    if (const auto* configuration = std::get_if<ConfigPayload>(&one)) use(*configuration);
    if (const auto* notify = std::get_if<NotifyPayload>(&one)) use(*notify);
  }
  const auto payloads = writable(parsed);
  const auto again = parse_payloads(first_type(payloads), encode_payloads(payloads));
  check(again && *again == payloads);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView datagram(data, size);
  if (const auto message = parse_message(datagram)) {
    check_chain(message->payloads);
    if (const auto* sealed = message->payloads.empty() ? nullptr : std::get_if<EncryptedPayload>(&message->payloads.back())) {
      // as if it had been deciphered
      if (const auto inside = parse_payloads(sealed->first_inner, sealed->body)) check_chain(*inside);
      const auto alone = parse_message(concat({encrypted_prefix(message->header, sealed->first_inner, sealed->body.size()), sealed->body}));
      check(alone && alone->payloads.back() == message->payloads.back());
    } else if (const auto* piece = message->payloads.empty() ? nullptr : std::get_if<EncryptedFragmentPayload>(&message->payloads.back())) {
      const auto prefix = encrypted_fragment_prefix(message->header, piece->first_inner, piece->number, piece->total, piece->body.size());
      const auto alone = parse_message(concat({prefix, piece->body}));
      check(alone && alone->payloads.back() == message->payloads.back());
    } else {
      const auto payloads = writable(message->payloads);
      const auto again = parse_message(encode_message(message->header, payloads));
      check(again && again->payloads == payloads && again->header.message_id == message->header.message_id);
    }
  }
  // the first octet as the type of a chain's first payload: reaches every body without a header before it
  if (size == 0) return 0;
  if (const auto chain = parse_payloads(static_cast<PayloadType>(data[0]), datagram.subspan(1))) check_chain(*chain);
  return 0;
}
