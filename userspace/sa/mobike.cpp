// SPDX-License-Identifier: Apache-2.0
// MOBIKE (RFC 4555): an IKE SA and its CHILD SAs go on when an address of either end changes. The end that began the first IKE SA decides
// between which addresses; the other one tells which it has.
#include <algorithm>

#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using wire::ExchangeType;
using wire::NotifyType;

namespace {

constexpr std::size_t kMostAddresses = 16;  // that we tell, and that we keep of a peer's
constexpr std::size_t kCookie2Size = 16;    // RFC 4555 4.2.5: 8 to 64 octets
constexpr std::uint32_t kPatience = 2;      // retransmissions before the other paths are tried

wire::NotifyPayload status(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

bool has(const std::vector<IpAddress>& addresses, const IpAddress& one) {
  return std::find(addresses.begin(), addresses.end(), one) != addresses.end();
}

bool tells_addresses(const Payloads& payloads) {
  return std::any_of(payloads.begin(), payloads.end(), [](const wire::Payload& payload) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    return notify != nullptr && (notify->type == NotifyType::AdditionalIp4Address || notify->type == NotifyType::AdditionalIp6Address ||
                                 notify->type == NotifyType::NoAdditionalAddresses);
  });
}

}  // namespace

// Those that we would use for this peer; with local-address that one alone.
std::vector<IpAddress> IkeSa::own_addresses() const {
  std::vector<IpAddress> out = ctx_.addresses();
  if (vpn_ && vpn_->local_address) std::erase_if(out, [&](const IpAddress& one) { return one != *vpn_->local_address; });
  std::sort(out.begin(), out.end());
  return out;
}

// RFC 4555 3.4: all but the one that the message comes from
void IkeSa::add_addresses(Payloads& payloads, bool in_auth) const {
  std::size_t count = 0;
  for (const IpAddress& one : own_addresses()) {
    if (one == local_.address || count == kMostAddresses) continue;
    ++count;
    payloads.push_back(status(one.is_v4() ? NotifyType::AdditionalIp4Address : NotifyType::AdditionalIp6Address, to_bytes(one.bytes())));
  }
  if (count == 0 && !in_auth) payloads.push_back(status(NotifyType::NoAdditionalAddresses, {}));
}

void IkeSa::offer_mobike(Payloads& payloads) {
  payloads.push_back(status(NotifyType::MobikeSupported, {}));
  add_addresses(payloads, true);
  announced_ = own_addresses();
}

void IkeSa::learn_mobike(const Payloads& payloads) {
  mobike_ = vpn_->ike.mobike && find_notify(payloads, NotifyType::MobikeSupported) != nullptr;
  mobike_initiator_ = role_ == Role::Initiator;
  if (mobike_) learn_addresses(payloads);
}

void IkeSa::learn_addresses(const Payloads& payloads) {
  peer_addresses_.clear();
  for (const wire::Payload& payload : payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify == nullptr) continue;
    const std::size_t size = notify->type == NotifyType::AdditionalIp4Address   ? 4
                             : notify->type == NotifyType::AdditionalIp6Address ? 16
                                                                                : 0;
    if (size == 0 || notify->data.size() != size || peer_addresses_.size() == kMostAddresses) continue;
    if (const auto address = IpAddress::from_bytes(notify->data); address && !has(peer_addresses_, *address))
      peer_addresses_.push_back(*address);
  }
}

// All pairs of addresses between which it may go on, the best by routing first.
std::vector<IkeSa::Path> IkeSa::paths() const {
  std::vector<Path> out;
  const std::vector<IpAddress> ours = own_addresses();
  std::vector<IpAddress> theirs = {remote_.address};
  for (const IpAddress& one : peer_addresses_) {
    if (!has(theirs, one)) theirs.push_back(one);
  }
  const auto add = [&](const IpAddress& here, const IpAddress& there) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const Path& one) { return one.local == here && one.remote == there; });
    if (here.family() == there.family() && has(ours, here) && !known) out.push_back({here, there});
  };
  for (const IpAddress& there : theirs) {
    const auto here = vpn_->local_address ? vpn_->local_address : ctx_.source_address(there);
    if (here) add(*here, there);
  }
  for (const IpAddress& there : theirs) {
    if (!ctx_.source_address(there)) continue;
    for (const IpAddress& here : ours) add(here, there);
  }
  return out;
}

void IkeSa::paths_changed(TimePoint now, Effects& out) {
  if (!established() || !mobike_) return;
  const std::vector<IpAddress> ours = own_addresses();
  const std::vector<Path> possible = paths();
  const bool usable = has(ours, local_.address) && ctx_.source_address(remote_.address).has_value();
  if (!mobike_initiator_) {
    if (!usable && !possible.empty()) {
      log(out, Subsystem::Network, 1, "our address " + local_.address.to_string() + " is gone, the peer is told");
      local_.address = possible.front().local;  // the CHILD SAs follow when the peer has chosen
      window_.move(local_, remote_);
    }
  } else if (possible.empty()) {
    log(out, Subsystem::Network, 1, "there is no way to the peer any more: waiting for one");
  } else if (!usable || ctx_.config->global.mobike_prefer_best_path) {
    const Path& best = possible.front();
    if (best.local != local_.address || best.remote != remote_.address) return take_path(best, now, out);
  }
  if (ours == announced_ || possible.empty() || queued(Job::Kind::AnnounceAddresses)) return;
  announced_ = ours;
  enqueue({Job::Kind::AnnounceAddresses, {}, 0, {}, {}, 0}, now, out);
}

// The IKE SA goes over another path, and the peer is asked to take it. The CHILD SAs follow when it has.
void IkeSa::take_path(const Path& path, TimePoint now, Effects& out) {
  const bool same_peer = path.remote == remote_.address;
  local_ = {path.local, model::kNatTraversalPort};
  remote_ = {path.remote, same_peer ? remote_.port : model::kNatTraversalPort};
  log(out, Subsystem::Network, 1, "going over to the path " + local_.to_string() + " => " + remote_.to_string());
  window_.move(local_, remote_);
  // what is under way may have been sent into the void
  for (const model::Datagram& datagram : window_.datagrams()) out.emplace_back(SendDatagram{datagram});
  ask_for_update(now, out);
}

void IkeSa::ask_for_update(TimePoint now, Effects& out) {
  if (queued(Job::Kind::UpdateAddresses)) return;
  jobs_.push_front({Job::Kind::UpdateAddresses, {}, 0, {}, {}, 0});
  announced_ = own_addresses();
  pump(now, out);
}

void IkeSa::begin_update(TimePoint now, Effects& out) {
  Payloads payloads = {status(NotifyType::UpdateSaAddresses, {})};
  UpdateAddressesRequest request{ctx_.entropy.bytes(kCookie2Size), local_, remote_};
  payloads.push_back(status(NotifyType::Cookie2, request.cookie2));
  add_nat_detection(payloads);
  add_addresses(payloads, false);
  send_request(ExchangeType::Informational, payloads, std::move(request), now, out);
}

void IkeSa::on_update_response(const UpdateAddressesRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* cookie2 = find_notify(payloads, NotifyType::Cookie2);
  // RFC 4555 4.2.5: an answer without it did not come over the path in question
  if (cookie2 == nullptr || !constant_time_equal(cookie2->data, request.cookie2)) {
    log(out, Subsystem::Ike, 0, "the peer's answer to UPDATE_SA_ADDRESSES has another COOKIE2");
    close_children("the peer's answer to UPDATE_SA_ADDRESSES has another COOKIE2", false, now, out);
    return delete_ike("COOKIE2 does not match", now, out);
  }
  if (const auto* error = find_error(payloads)) {
    log(out, Subsystem::Ike, 0, "the peer does not take the new addresses: " + wire::to_string(error->type));
    return retry_later({Job::Kind::UpdateAddresses, {}, 0, {}, {}, 0}, now);
  }
  detect_nat_again(payloads, out);
  if (local_ != request.local || remote_ != request.remote) return ask_for_update(now, out);  // moved again meanwhile
  for (const auto& child : children_) move_child(*child, now, out);
}

// Retransmissions that find no answer try the other paths in turn (RFC 4555 3.10); true: one was taken for this one.
void IkeSa::probe(Effects& out) {
  if (!mobike_ || !mobike_initiator_ || !established() || window_.retransmissions() < kPatience) return;
  const std::vector<Path> possible = paths();
  if (possible.size() < 2) return;
  const Path& path = possible[(window_.retransmissions() - kPatience) % possible.size()];  // the best first
  const bool current = path.local == local_.address && path.remote == remote_.address;
  window_.move({path.local, model::kNatTraversalPort},
               {path.remote, path.remote == remote_.address ? remote_.port : model::kNatTraversalPort});
  if (!current) log(out, Subsystem::Network, 1, "trying the path " + path.local.to_string() + " => " + path.remote.to_string());
}

// An answer came, over which path it says.
void IkeSa::on_probed(TimePoint now, Effects& out) {
  if (!mobike_ || !mobike_initiator_ || !established()) return;
  if (reply_local_.address == local_.address && reply_remote_.address == remote_.address) return;
  // The source of a datagram is anybody's word: only addresses that the peer has told, protected, are its own.
  const std::vector<Path> possible = paths();
  const bool known = std::any_of(possible.begin(), possible.end(),
                                 [&](const Path& one) { return one.local == reply_local_.address && one.remote == reply_remote_.address; });
  if (known) take_path({reply_local_.address, reply_remote_.address}, now, out);
}

// What an INFORMATIONAL request of the peer says about addresses, and what is answered to that.
void IkeSa::on_mobike_request(const Payloads& payloads, Payloads& answer, TimePoint now, Effects& out) {
  if (const auto* cookie2 = find_notify(payloads, NotifyType::Cookie2)) answer.push_back(status(NotifyType::Cookie2, cookie2->data));
  if (!mobike_) return;
  if (tells_addresses(payloads)) learn_addresses(payloads);
  const bool update = find_notify(payloads, NotifyType::UpdateSaAddresses) != nullptr;
  const bool detects = find_notify(payloads, NotifyType::NatDetectionSourceIp) != nullptr;
  if (update && mobike_initiator_) {
    log(out, Subsystem::Ike, 1, "UPDATE_SA_ADDRESSES of a peer that has not to decide: not taken");
  } else if (update) {
    // RFC 4555 3.9: the sender wants no NAT in between, and says what its addresses are
    const auto* no_nats = find_notify(payloads, NotifyType::NoNatsAllowed);
    if (no_nats != nullptr) {
      Writer seen, ports;
      ports.u16(reply_remote_.port);
      ports.u16(reply_local_.port);
      const Bytes expected = concat({reply_remote_.address.bytes(), reply_local_.address.bytes(), ports.view()});
      if (no_nats->data != expected) {
        log(out, Subsystem::Ike, 0, "the peer moves to " + reply_remote_.to_string() + " and wants no NAT, but there is one");
        answer.push_back(status(NotifyType::UnexpectedNatDetected, {}));
        return;
      }
    }
    const bool moved = reply_local_.address != local_.address || reply_remote_.address != remote_.address;
    if (detects) detect_nat_again(payloads, out);
    move_to(reply_local_, reply_remote_, now, out);
    for (const auto& child : children_) move_child(*child, now, out);
    // RFC 4555 3.7: does it answer there?
    if (moved && !queued(Job::Kind::Routability)) jobs_.push_back({Job::Kind::Routability, {}, 0, {}, {}, 0});
  }
  if (detects) add_nat_detection(answer);
  if (!mobike_initiator_ || !tells_addresses(payloads)) return;
  // The peer's list has the address that it sends from in front. When the one we use is not among them any more, we move.
  if (remote_.address != reply_remote_.address && !has(peer_addresses_, remote_.address))
    take_path({local_.address, reply_remote_.address}, now, out);
}

void IkeSa::on_routability_response(const RoutabilityRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* cookie2 = find_notify(payloads, NotifyType::Cookie2);
  if (cookie2 != nullptr && constant_time_equal(cookie2->data, request.cookie2)) return;
  close_children("the peer's answer has another COOKIE2", false, now, out);
  delete_ike("COOKIE2 does not match", now, out);
}

// RFC 4555 3.8: behind a NAT the sign of life shows as well whether its mapping is still the same.
void IkeSa::on_liveness_response(const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* seen = find_notify(payloads, NotifyType::NatDetectionDestinationIp);
  if (!mobike_ || !mobike_initiator_ || seen == nullptr) return;
  if (!mapping_.empty() && mapping_ != seen->data) {
    log(out, Subsystem::Network, 1, "the NAT in front of us has another mapping");
    ask_for_update(now, out);
  }
  mapping_ = seen->data;
}

}  // namespace svti::sa
