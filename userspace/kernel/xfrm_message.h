// SPDX-License-Identifier: Apache-2.0
// The messages of NETLINK_XFRM (linux/xfrm.h): requests encoded, what the kernel says decoded. No socket here.
#pragma once

#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "kernel/netlink_message.h"
#include "model/kernel.h"

namespace svti::kernel {

// Requests that the kernel acknowledges. Those with keys are the taker's to wipe.
// `device`: ifindex of the one that is asked to encrypt and decrypt; 0: none
Result<Bytes> encode(const model::AddSa& request, int device = 0);
Bytes encode(const model::DeleteSa& request);
// `current`: the kernel's answer to encode_get_sa() of that SA. One message, or two that are to be sent together: then only the second is
// acknowledged, and either may yield an error.
Result<Bytes> encode(const model::MoveSa& request, const MessageView& current);
// A policy that passes or drops has no template, hence no reqid that would say whose it is. `owner_index` (see make_owner_index)
// becomes its index instead; unused for others.
Result<Bytes> encode(const model::SetPolicy& request, std::uint32_t owner_index);
Bytes encode(const model::DeletePolicy& request);
Result<Bytes> encode(const model::SetPolicyHash& request);

// Indices of policies of ours without a reqid. The kernel counts its own from 0 up in steps of eight, keeps the direction in the
// low three bits, takes an index that it is given when it is free, and keeps it when the policy is replaced.
inline constexpr std::uint32_t kOwnerIndexFirst = model::kReqidFirst;
inline constexpr std::uint32_t kOwnerIndexCount = (model::kReqidLast - model::kReqidFirst + 1) / 8;
std::uint32_t make_owner_index(std::uint32_t number, model::Direction direction);  // `number` modulo kOwnerIndexCount

// Questions
Bytes encode_get_sa(const model::SaId& id);
Bytes encode_dump_sas();
Bytes encode_dump_policies();

bool is_ours(std::uint32_t reqid);

// Answers. Error: not of the form that linux/xfrm.h says.
Result<model::SaStatus> decode_sa(const MessageView& message);
// What a device does for the SA of such a message.
struct OffloadAnswer {
  model::Offload offload = model::Offload::None;
  int device = 0;  // ifindex; 0: none
};
Result<OffloadAnswer> decode_offload(const MessageView& message);
struct PolicyAnswer {
  model::PolicyStatus status;  // reqid: of its first template, 0 without one
  bool ours = false;
};
// none: a policy of a socket
Result<std::optional<PolicyAnswer>> decode_policy(const MessageView& message);

// Events
struct Acquire {
  std::uint32_t reqid = 0;
  std::uint32_t if_id = 0;
  wire::TrafficSelector source;
  wire::TrafficSelector destination;
};
struct Expire {
  model::SaId id;
  std::uint32_t reqid = 0;
  bool hard = false;
};
struct Mapping {
  model::SaId id;
  std::uint32_t reqid = 0;
  Endpoint now_from;
};
using XfrmEvent = std::variant<std::monostate, Acquire, Expire, Mapping>;
// monostate: a message that is none of these, or about something that is neither ESP nor AH
Result<XfrmEvent> decode_event(const MessageView& message);

}  // namespace svti::kernel
