// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH with EAP while it is under way (RFC 7296 2.16). The initiator proves who it is by EAP, the responder by other means before that,
// or by the same EAP method alone (RFC 5998).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eap/conversation.h"
#include "model/credentials.h"
#include "wire/message.h"

namespace svti::sa {

struct EapExchange {
  enum class Stage : std::uint8_t {
    Asked,   // initiator: its request had no AUTH; responder: it makes the AUTH of its own that goes before
    Method,  // EAP packets go to and fro
    Proof,   // EAP has succeeded, and both ends prove by AUTH that it was theirs
  };

  model::AuthMethod method{};
  bool only = false;  // RFC 5998: the responder proves who it is by EAP as well
  Stage stage = Stage::Asked;
  std::optional<eap::Server> server;  // of the responder
  std::optional<eap::Peer> peer;      // of the initiator
  // of a responder that passes EAP on
  struct Radius {
    Bytes identity;           // that the peer said, or the server when it accepted; empty: not known yet
    std::uint8_t asked = 0;   // identifier of the request that the peer has to answer
    std::uint8_t method = 0;  // EAP type of the server's last request
    std::string server;       // that answered last, with this
    Bytes state;
    bool unanswered = false;
  };
  std::optional<Radius> radius;
  std::uint32_t rounds = 0;     // packets of the other end so far
  std::uint8_t identifier = 0;  // responder: of the peer's last packet
  // responder: what goes before the first EAP packet, until that one is there
  std::vector<wire::Payload> beginning;
  // Who makes the next step, while it is awaited; empty: nobody. The question's number is AuthExchange::awaited.
  std::string awaited;
  Secret msk;  // once it has succeeded; empty: the method makes none
};

// "eap-mschapv2" and so on in EAP's own number; nothing for those that are not EAP methods of ours
std::optional<eap::Type> eap_type_of(model::AuthMethod method);

// An EAP identity is octets; for what is configured it is the text of an identity.
Bytes eap_octets(const model::Identity& identity);
// the other way: never a pattern, whatever the peer says
model::Identity eap_identity(ByteView octets);

}  // namespace svti::sa
