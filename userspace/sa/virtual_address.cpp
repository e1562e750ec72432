// SPDX-License-Identifier: Apache-2.0
// The Configuration payload's part in an IKE SA, both roles: RFC 7296 2.19, 3.15, 4; the guide's "Virtual IP pools".
#include "sa/virtual_address.h"

#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"
#include "wire/configuration.h"

namespace svti::sa {

using wire::ConfigType;
using wire::NotifyType;

namespace {

std::string text_of(const std::vector<IpAddress>& addresses) {
  std::string out;
  for (const IpAddress& address : addresses) out += (out.empty() ? "" : ", ") + address.to_string();
  return out;
}

const IpAddress* of_family(const std::vector<IpAddress>& addresses, IpFamily family) {
  const auto found = std::find_if(addresses.begin(), addresses.end(), [&](const IpAddress& one) { return one.family() == family; });
  return found == addresses.end() ? nullptr : &*found;
}

// Could be an address of one host: not any, loopback, multicast or broadcast. The rest is between the peer and us.
bool is_host(const IpAddress& address) {
  static const std::vector<Prefix> kNone = {*Prefix::parse("0.0.0.0/8"), *Prefix::parse("127.0.0.0/8"), *Prefix::parse("224.0.0.0/3"),
                                            *Prefix::parse("::/127"),    *Prefix::parse("fe80::/10"),   *Prefix::parse("ff00::/8")};
  return std::none_of(kNone.begin(), kNone.end(), [&](const Prefix& prefix) { return prefix.contains(address); });
}

// the payload of that type, read; none: it is not there
std::optional<wire::Configuration> find_configuration(const Payloads& payloads, ConfigType type) {
  const auto* payload = find_payload<wire::ConfigPayload>(payloads);
  if (payload == nullptr || payload->type != static_cast<std::uint8_t>(type)) return std::nullopt;
  auto read = wire::read_configuration(*payload);
  if (!read) return std::nullopt;
  return std::move(*read);
}

void append_new(std::vector<IpAddress>& to, const std::vector<IpAddress>& from) {
  for (const IpAddress& one : from) {
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
  }
}

// Attributes of a client, none of which a peer may have us keep without end.
void cut(std::vector<IpAddress>& list) {
  static constexpr std::size_t kMost = 16;
  if (list.size() > kMost) list.resize(kMost);
}

}  // namespace

// --- selectors --------------------------------------------------------------------------------------------------------------

// A selector without a subnet stands for our virtual address where we have one, or for any before we know it.
Selectors IkeSa::local_selectors(const model::SecurityPolicy& policy) const {
  if (!vips_.requested) return selectors_of(policy.local_ts, local_.address);
  std::vector<Prefix> own;
  if (vips_.ours.empty()) {
    for (const IpAddress& asked : vpn_->vip_request) own.push_back(Prefix::any(asked.family()));
  } else {
    for (const IpAddress& address : vips_.ours) own.push_back(Prefix::host(address));
  }
  return selectors_of(policy.local_ts, own);
}

// With a virtual address of the peer's, a selector without a subnet stands for it, and one with a subnet for what of it lies within.
Selectors IkeSa::remote_selectors(const model::SecurityPolicy& policy) const {
  if (vips_.theirs.empty()) return selectors_of(policy.remote_ts, remote_.address);
  std::vector<Prefix> own;
  for (const IpAddress& address : vips_.theirs) own.push_back(Prefix::host(address));
  Selectors whole;
  for (const Prefix& one : own) whole.push_back(wire::TrafficSelector::of(one));
  return narrow(selectors_of(policy.remote_ts, own), whole);
}

// --- initiator --------------------------------------------------------------------------------------------------------------

void IkeSa::request_addresses(Payloads& payloads) {
  if (vpn_->vip_request.empty()) return;
  vips_.requested = true;
  // the same as before, when any will do: connections over it live on
  std::vector<IpAddress> asked = vpn_->vip_request;
  if (const auto last = ctx_.own_addresses.last.find(vpn_->name); last != ctx_.own_addresses.last.end()) {
    for (IpAddress& one : asked) {
      const IpAddress* before = of_family(last->second, one.family());
      if (one.is_any() && before != nullptr) one = *before;
    }
  }
  payloads.push_back(wire::request_configuration(asked));
}

void IkeSa::take_addresses(const Payloads& payloads, Effects& out) {
  if (!vips_.requested) {
    // RFC 7296 2.19 forbids it: nothing was asked for
    if (find_payload<wire::ConfigPayload>(payloads) != nullptr)
      log(out, Subsystem::Ike, 1, "the peer sends a configuration that was not asked for: ignored");
    return;
  }
  const auto reply = find_configuration(payloads, ConfigType::Reply);
  if (!reply) return;
  for (const IpAddress& asked : vpn_->vip_request) {
    const IpAddress* assigned = of_family(reply->addresses, asked.family());
    if (assigned == nullptr) continue;
    if (!is_host(*assigned)) {
      log(out, Subsystem::Ike, 0, "the peer assigned " + assigned->to_string() + ", which is no address of a host: ignored");
      continue;
    }
    if (!asked.is_any() && asked != *assigned)
      log(out, Subsystem::Ike, 1, "the peer assigned " + assigned->to_string() + " instead of " + asked.to_string());
    vips_.ours.push_back(*assigned);
  }
  if (vips_.ours.empty()) return;
  vips_.dns = reply->dns;
  vips_.nbns = reply->nbns;
  vips_.dhcp = reply->dhcp;
  for (auto* list : {&vips_.dns, &vips_.nbns, &vips_.dhcp}) cut(*list);
  const auto through_svti =
      std::find_if(vpn_->policies.begin(), vpn_->policies.end(), [](const auto& policy) { return policy.svti_id_out != 0; });
  vips_.svti_id = through_svti == vpn_->policies.end() ? 0 : through_svti->svti_id_out;
  ctx_.own_addresses.last[vpn_->name] = vips_.ours;
  for (const IpAddress& address : vips_.ours) {
    if (ctx_.own_addresses.claim({address, vips_.svti_id})) out.emplace_back(InstallAddress{address, vips_.svti_id});
  }
  const auto servers = [](const std::string& name, const std::vector<IpAddress>& list) {
    return list.empty() ? std::string() : ", " + name + " " + text_of(list);
  };
  log(out, Subsystem::Ike, 0,
      "virtual address " + text_of(vips_.ours) + servers("DNS", vips_.dns) + servers("NBNS", vips_.nbns) + servers("DHCP", vips_.dhcp));
}

// Without an address there is nothing that the IKE SA could carry: it goes, so that the next attempt asks again.
bool IkeSa::lacks_address(const std::string& policy, const Payloads& payloads, TimePoint now, Effects& out) {
  if (!vips_.requested || !vips_.ours.empty()) return false;
  const auto* error = find_error(payloads);
  const std::string reason =
      "the peer assigned no virtual address" + (error == nullptr ? std::string() : ", " + wire::to_string(error->type));
  model::Explanation why;
  why.policy = policy;
  why.cause = model::Cause::VirtualAddress;
  why.reason = reason;
  why.tables.push_back({"virtual address", {{"vip-request", text_of(vpn_->vip_request), {}, model::Verdict::Fails}}});
  why.advice = {model::Side::Theirs, "vpn " + vpn_->name + " vip-pool",
                "give the peer's VPN a pool with a free address of that family, or remove vip-request here"};
  out.emplace_back(Explained{told(wire::ExchangeType::IkeAuth, true, std::move(why), now)});
  log(out, Subsystem::Ike, 0, reason + ": IKE SA closed");
  out.emplace_back(Notice{Notice::Kind::ChildFailed, vpn_->name, policy, id_, 0, 0, reason});
  delete_ike(reason, now, out);
  return true;
}

// --- responder --------------------------------------------------------------------------------------------------------------

// Addresses that this peer has on another IKE SA and may take along to this one: that one is gone, or is being replaced.
std::vector<IpAddress> IkeSa::addresses_to_share(const wire::Configuration& asked, bool stands_in) const {
  std::vector<IpAddress> out;
  if (stands_in) {
    for (const IkeSa* other : ctx_.between(local_id_, peer_identity())) {
      if (other != this) append_new(out, other->vips_.theirs);
    }
  }
  // Reauthentication (RFC 7296 2.8.3): another IKE SA with the same end asks for the address that the one before has.
  for (const IpAddress& wanted : asked.addresses) {
    if (wanted.is_any()) continue;
    for (const std::uint32_t id : ctx_.pools.holders(wanted, peer_identity())) {
      const IkeSa* other = ctx_.find_ike(id);
      if (other != nullptr && other != this && other->remote_ == remote_) append_new(out, {wanted});
    }
  }
  return out;
}

void IkeSa::assign_addresses(const Payloads& request, bool stands_in, Payloads& answer, Effects& out) {
  const auto asked = find_configuration(request, ConfigType::Request);
  if (vpn_->vip_pools.empty() && (vips_.framed.empty() || !asked)) {
    if (asked && !asked->addresses.empty())
      log(out, Subsystem::Ike, 1, "the peer asks for a virtual address, and VPN " + vpn_->name + " has no vip-pool: ignored");
    return;
  }
  // RFC 7296 3.10.1: asked for, and expected to be
  vips_.refusal = asked && !asked->addresses.empty() ? NotifyType::InternalAddressFailure : NotifyType::FailedCpRequired;
  if (!asked) return;
  wire::Configuration reply;
  const std::vector<IpAddress> shared = addresses_to_share(*asked, stands_in);
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    const IpAddress* wanted = of_family(asked->addresses, family);
    if (wanted == nullptr) continue;
    if (const IpAddress* framed = of_family(vips_.framed, family)) {
      if (assign_framed(*framed, out)) reply.addresses.push_back(*framed);
      continue;
    }
    const auto grant = ctx_.pools.assign({peer_identity(), vpn_->vip_pools, family, *wanted, shared, id_});
    if (!grant) {
      log(out, Subsystem::Ike, 0,
          std::string("no ") + (family == IpFamily::V4 ? "IPv4" : "IPv6") + " address for " + peer_identity().to_string() +
              ": the vip-pools of VPN " + vpn_->name + " have none left");
      continue;
    }
    log(out, Subsystem::Ike, 1,
        "virtual address " + grant->address.to_string() + " of pool " + grant->pool->name + " assigned to " + peer_identity().to_string());
    vips_.theirs.push_back(grant->address);
    reply.addresses.push_back(grant->address);
    append_new(reply.dns, grant->pool->dns);
    append_new(reply.nbns, grant->pool->nbns);
    append_new(reply.dhcp, grant->pool->dhcp);
    for (const Prefix& subnet : grant->pool->subnets) {
      if (std::find(reply.subnets.begin(), reply.subnets.end(), subnet) == reply.subnets.end()) reply.subnets.push_back(subnet);
    }
  }
  if (!vips_.framed.empty()) {
    for (const std::string& name : vpn_->vip_pools) {
      const auto pool = ctx_.config->pools.find(name);
      if (pool == ctx_.config->pools.end()) continue;
      append_new(reply.dns, pool->second->dns);
      append_new(reply.nbns, pool->second->nbns);
      append_new(reply.dhcp, pool->second->dhcp);
    }
  }
  reply.asks_supported = asked->asks_supported;
  reply.asks_version = asked->asks_version;
  if (!vips_.theirs.empty()) {
    vips_.refusal.reset();
    answer.push_back(wire::write_configuration(ConfigType::Reply, reply));
  }
}

// The RADIUS server's word counts for more than the pools, but not for more than somebody who has the address.
bool IkeSa::assign_framed(const IpAddress& address, Effects& out) {
  if (!is_host(address) || !ctx_.pools.claim(address, peer_identity(), id_)) {
    log(out, Subsystem::Ike, 0,
        "RADIUS server " + radius_server_ + " gives " + peer_identity().to_string() + " the address " + address.to_string() +
            (is_host(address) ? ", which somebody else has" : ", which is none of a host"));
    return false;
  }
  log(out, Subsystem::Ike, 1,
      "virtual address " + address.to_string() + " of RADIUS server " + radius_server_ + " assigned to " + peer_identity().to_string());
  vips_.theirs.push_back(address);
  return true;
}

std::optional<IkeSa::Refusal> IkeSa::address_refusal() const {
  if (!vips_.refusal) return std::nullopt;
  const bool dry = *vips_.refusal == NotifyType::InternalAddressFailure;
  model::Explanation why;
  why.cause = model::Cause::VirtualAddress;
  why.reason = dry && !vips_.framed.empty() ? "the address that the RADIUS server gives it cannot be had"
               : dry                        ? "the vip-pools have no address left for it"
                                            : "it did not ask for a virtual address, and the VPN has a vip-pool";
  std::string pools;
  for (const std::string& name : vpn_->vip_pools) pools += (pools.empty() ? "" : ", ") + name;
  why.tables.push_back({"virtual address", {{"vip-pool", cell(pools), dry ? "asks for one" : "asks for none", model::Verdict::Fails}}});
  if (dry && !vips_.framed.empty()) {
    why.advice = {model::Side::Either, "eap-radius server " + cell(radius_server_),
                  "have it give each user another Framed-IP-Address (the log says which one it gave)"};
  } else if (dry) {
    why.advice = {model::Side::Ours, "pool " + vpn_->vip_pools.front() + " address",
                  "add addresses of the family that the peer asks for (`ikectl show pools` tells what is in use)"};
  } else {
    why.advice = {model::Side::Theirs, "vpn " + vpn_->name + " vip-request", "have the peer ask for a virtual address, 0.0.0.0 or ::"};
  }
  return Refusal{*vips_.refusal, {}, std::move(why)};
}

// --- both -------------------------------------------------------------------------------------------------------------------

// RFC 7296 2.20: CFG_REQUEST outside of IKE_AUTH; addresses are assigned there alone. CFG_SET is not supported, and passed over (3.15.1).
void IkeSa::answer_configuration(const Payloads& request, Payloads& answer) const {
  const auto asked = find_configuration(request, ConfigType::Request);
  if (!asked) return;
  wire::Configuration reply;
  reply.asks_supported = asked->asks_supported;
  reply.asks_version = asked->asks_version;
  answer.push_back(wire::write_configuration(ConfigType::Reply, reply));
}

// `predecessor` is being rekeyed: both have the addresses until it is gone.
void IkeSa::inherit_addresses(const IkeSa& predecessor) {
  vips_ = predecessor.vips_;
  for (const IpAddress& address : vips_.theirs) ctx_.pools.hold(address, id_);
  for (const IpAddress& address : vips_.ours) ctx_.own_addresses.claim({address, vips_.svti_id});
}

void IkeSa::release_addresses(Effects& out) {
  for (const IpAddress& address : std::exchange(vips_.theirs, {})) ctx_.pools.release(address, id_);
  for (const IpAddress& address : std::exchange(vips_.ours, {})) {
    if (ctx_.own_addresses.release({address, vips_.svti_id})) out.emplace_back(RemoveAddress{address, vips_.svti_id});
  }
}

}  // namespace svti::sa
