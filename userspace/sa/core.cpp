// SPDX-License-Identifier: Apache-2.0
#include "sa/core.h"

#include <algorithm>

#include "base/pairwise.h"
#include "sa/explain.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::StartAction;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

constexpr Duration kCookieCalm =
    seconds(10);  // cookies stay on this long after the number of half-open IKE SAs fell (configuration.md 5.16)
// How long an IKE SA that another one replaces (unique-sa replace) goes on serving: by then the new one has its CHILD SAs at both ends. Who
// initiated the new one closes the old one; the other end does it when the peer has not.
constexpr Duration kReplacedByOurs = seconds(5);
constexpr Duration kReplacedByTheirs = seconds(10);
constexpr std::size_t kMinInvalidVersionRequest = 36;

}  // namespace

Core::Core(Entropy& entropy, Context::SourceAddress source_address) : ctx_(entropy, std::move(source_address)), cookies_(entropy) {
  ctx_.find_ike = [this](std::uint32_t id) -> IkeSa* {
    if (IkeSa* sa = find(id)) return sa;
    const auto found = std::find_if(ctx_.newborn.begin(), ctx_.newborn.end(), [&](const auto& one) { return one->id() == id; });
    return found == ctx_.newborn.end() ? nullptr : found->get();
  };
  ctx_.between = [this](const model::Identity& local, const model::Identity& remote) {
    std::vector<IkeSa*> out;
    for (auto [entry, end] = by_identities_.equal_range({local, remote}); entry != end; ++entry) {
      if (IkeSa* sa = find(entry->second); sa->established()) out.push_back(sa);
    }
    return out;
  };
  ctx_.established_between = [this](const model::Identity& local, const model::Identity& remote, TimePoint since) {
    const auto [first, last] = by_identities_.equal_range({local, remote});
    return std::any_of(first, last, [&](const auto& entry) {
      const IkeSa* sa = find(entry.second);
      return sa->established() && sa->established_at() <= since;
    });
  };
}

Core::~Core() = default;

void Core::log(Effects& out, Subsystem subsystem, LogLevel level, std::string text) const {
  out.emplace_back(LogLine{subsystem, level, {}, std::move(text)});
}

IkeSa* Core::find(std::uint32_t id) const {
  const auto found = sas_.find(id);
  return found == sas_.end() ? nullptr : found->second.get();
}

// --- bookkeeping ------------------------------------------------------------------------------------------------------------

void Core::adopt(std::unique_ptr<IkeSa> sa) {
  const std::uint32_t id = sa->id();
  by_spi_[sa->our_spi()] = id;
  if (sa->vpn()) by_vpn_.emplace(sa->vpn()->name, id);
  if (sa->established()) by_identities_.emplace(Identities{sa->local_id(), sa->peer_identity()}, id);
  if (sa->replaces() != 0) replacing_.insert(id);
  sas_[id] = std::move(sa);
}

void Core::reschedule(const IkeSa& sa) {
  const auto before = deadline_of_.find(sa.id());
  const auto deadline = sa.next_deadline();
  if (before != deadline_of_.end()) {
    if (deadline && *deadline == before->second) return;
    deadlines_.erase({before->second, sa.id()});
    deadline_of_.erase(before);
  }
  if (!deadline) return;
  deadlines_.emplace(*deadline, sa.id());
  deadline_of_[sa.id()] = *deadline;
}

void Core::forget(std::uint32_t id) {
  const auto found = sas_.find(id);
  if (found == sas_.end()) return;
  replacing_.erase(id);
  if (const auto deadline = deadline_of_.find(id); deadline != deadline_of_.end()) {
    deadlines_.erase({deadline->second, id});
    deadline_of_.erase(deadline);
  }
  const IkeSa& sa = *found->second;
  const auto erase_from = [id](auto& index, const auto& key) {
    for (auto [entry, end] = index.equal_range(key); entry != end; ++entry) {
      if (entry->second == id) return void(index.erase(entry));
    }
  };
  by_spi_.erase(sa.our_spi());
  if (sa.vpn()) erase_from(by_vpn_, sa.vpn()->name);
  erase_from(by_identities_, Identities{sa.local_id(), sa.peer_identity()});
  no_longer_half_open(id);
  sas_.erase(found);
}

// Runs `action` on an IKE SA and brings all that depends on it up to date.
template <typename F>
void Core::touch(std::uint32_t id, TimePoint now, Effects& out, F&& action) {
  IkeSa* sa = find(id);
  if (sa == nullptr) return;
  const bool was_half_open = sa->half_open();
  const bool was_established = sa->established();
  const bool had_vpn = sa->vpn() != nullptr;
  const std::size_t had_children = sa->children().size();
  action(*sa);
  if (was_half_open && !sa->half_open()) no_longer_half_open(id);
  if (!was_established && sa->established()) by_identities_.emplace(Identities{sa->local_id(), sa->peer_identity()}, id);
  if (!had_vpn && sa->vpn()) by_vpn_.emplace(sa->vpn()->name, id);
  if (sa->established() && (!was_established || sa->children().size() > had_children))
    ctx_.follow_ups.push_back({FollowUp::Kind::Unique, sa->vpn()->name, {}, id, 0, {}});
  if (sa->dead()) {
    forget(id);
  } else {
    reschedule(*sa);
  }
  settle(now, out);
}

// IKE SAs born meanwhile are taken in, and what they left to do is done.
void Core::settle(TimePoint now, Effects& out) {
  // what is to take the place of an IKE SA that was rekeyed meanwhile takes that of its successor
  for (const auto& [before, after] : std::exchange(ctx_.handed_over, {})) {
    for (const std::uint32_t id : replacing_) {
      IkeSa& sa = *sas_.at(id);
      if (sa.replaces() == before && id != after) sa.set_replaces(after);
    }
  }
  while (!ctx_.newborn.empty() || !ctx_.follow_ups.empty()) {
    for (auto& sa : std::exchange(ctx_.newborn, {})) {
      const IkeSa& born = *sa;
      adopt(std::move(sa));
      reschedule(born);
    }
    for (const FollowUp& note : std::exchange(ctx_.follow_ups, {})) follow_up(note, now, out);
  }
  for (const std::uint32_t id : std::exchange(ctx_.rescheduled, {})) {
    if (const IkeSa* sa = find(id)) reschedule(*sa);
  }
}

void Core::no_longer_half_open(std::uint32_t id) {
  const auto origin = origin_of_half_open_.find(id);
  if (origin == origin_of_half_open_.end()) return;
  const auto count = half_open_of_.find(origin->second.first.address);
  if (--count->second == 0) half_open_of_.erase(count);
  half_open_.erase(origin->second);
  origin_of_half_open_.erase(origin);
}

void Core::follow_up(const FollowUp& note, TimePoint now, Effects& out) {
  const auto configured = ctx_.config->vpns.find(note.vpn);
  if (closed_ && note.kind != FollowUp::Kind::InitialContact) return;
  switch (note.kind) {
    case FollowUp::Kind::InitialContact: {
      // RFC 7296 2.4: the peer has no other IKE SA between these identities. One that is younger than this one's first message is not
      // meant: both ends began at once.
      const IkeSa* stays = find(note.ike);
      if (stays == nullptr) return;
      std::vector<std::uint32_t> stale;
      for (auto [entry, end] = by_identities_.equal_range({stays->local_id(), stays->peer_identity()}); entry != end; ++entry) {
        const IkeSa* sa = find(entry->second);
        if (sa != stays && sa->established() && sa->established_at() <= stays->created_at()) stale.push_back(sa->id());
      }
      for (const std::uint32_t id : stale)
        touch(id, now, out, [&](IkeSa& sa) { sa.destroy("the peer began anew (INITIAL_CONTACT)", now, out); });
      return;
    }
    case FollowUp::Kind::Unique:
      release_stopgaps(note.ike, out);
      give_way_to(note.ike, now, out);
      keep_unique(note.ike, now, out);
      return finish_reauthentication(note.ike, now, out);
    case FollowUp::Kind::Reauthenticate:
      if (configured != ctx_.config->vpns.end()) reauthenticate(configured->second, note, now, out);
      return;
    case FollowUp::Kind::Retry:
      // what was to be replaced is gone: by another attempt, or it has been begun anew itself
      if (const IkeSa* old = find(note.ike); note.ike != 0 && (old == nullptr || !old->established())) return;
      if (configured != ctx_.config->vpns.end())
        (void)connect(configured->second, note.policies, note.between, note.attempt + 1, now, out, {note.ike, {}});
      return;
    case FollowUp::Kind::Resumed:
      if (const auto old = by_spi_.find(note.spi); old != by_spi_.end() && old->second != note.ike) {
        const IkeSa* fresh = find(note.ike);
        const bool same = fresh != nullptr && find(old->second)->peer_identity() == fresh->peer_identity();
        if (same) touch(old->second, now, out, [&](IkeSa& sa) { sa.destroy("the peer has resumed it", now, out); });
      }
      return;
    case FollowUp::Kind::Redirect:
      if (configured != ctx_.config->vpns.end()) follow_redirect(configured->second, note, now, out);
      return;
    case FollowUp::Kind::Start:
      if (configured != ctx_.config->vpns.end() && configured->second->find_policy(note.policy) != nullptr)
        (void)initiate(note.vpn, note.policy, note.between, now, out);
      return;
    case FollowUp::Kind::Trap:
      if (configured == ctx_.config->vpns.end()) return;
      if (const auto* policy = configured->second->find_policy(note.policy)) set_trap(configured->second, *policy, out);
      return;
  }
}

// RFC 7296 2.8.3: a new IKE SA from the beginning, with CHILD SAs of its own; then, or before, the old one goes.
void Core::reauthenticate(const VpnPtr& vpn, const FollowUp& note, TimePoint now, Effects& out) {
  // without a remote-address there can be no trap
  if (ctx_.config->global.make_before_break || !vpn->remote_address) {
    const bool under_way = std::any_of(replacing_.begin(), replacing_.end(), [&](std::uint32_t id) {
      const IkeSa& one = *sas_.at(id);
      return one.replaces() == note.ike && !one.established() && !one.finished();
    });
    if (!under_way) (void)connect(vpn, note.policies, note.between, 1, now, out, {note.ike, {}});
    return;
  }
  // no packet leaves in clear while there is no CHILD SA
  for (const std::string& name : note.policies) {
    const auto* policy = vpn->find_policy(name);
    if (policy == nullptr || traps_.contains({vpn->name, name})) continue;
    set_trap(vpn, *policy, out);
    stopgaps_.emplace(vpn->name, name);
  }
  touch(note.ike, now, out, [&](IkeSa& sa) { sa.restart(note.policies, now, out); });
}

void Core::release_stopgaps(std::uint32_t id, Effects& out) {
  const IkeSa* sa = find(id);
  if (stopgaps_.empty() || sa == nullptr || !sa->established()) return;
  for (const std::string& policy : sa->served()) {
    if (stopgaps_.contains({sa->vpn()->name, policy})) release_trap({sa->vpn()->name, policy}, out);
  }
}

// The new IKE SA has a CHILD SA for each that the old one has.
void Core::finish_reauthentication(std::uint32_t id, TimePoint now, Effects& out) {
  const IkeSa* fresh = find(id);
  const IkeSa* old = fresh != nullptr && fresh->established() ? find(fresh->replaces()) : nullptr;
  if (old == nullptr || !old->established()) return;
  const std::vector<std::string> served = old->served();
  if (!std::all_of(served.begin(), served.end(), [&](const auto& one) { return fresh->serves(one); })) return;
  touch(old->id(), now, out, [&](IkeSa& sa) { sa.delete_duplicate("reauthenticated", now, out); });
}

// The peer's IKE SA stands, and one of ours to the same peer has not got an answer yet: the peer was first, and ours is not needed.
void Core::give_way_to(std::uint32_t id, TimePoint now, Effects& out) {
  const IkeSa* stands = find(id);
  if (stands == nullptr || !stands->established() || stands->initiated()) return;
  std::vector<std::uint32_t> vain;
  for (auto [entry, end] = by_vpn_.equal_range(stands->vpn()->name); entry != end; ++entry) {
    if (const IkeSa* sa = find(entry->second); sa->initiated() && sa->awaits_init()) vain.push_back(entry->second);
  }
  for (const std::uint32_t ours : vain) {
    std::vector<std::string> wanted;
    touch(ours, now, out, [&](IkeSa& sa) {
      wanted = sa.take_wanted();
      log(out, Subsystem::Ike, 1, sa.vpn()->name + ": the peer's IKE SA came first, ours is not needed");
      sa.destroy("the peer's IKE SA came first", now, out);
    });
    touch(id, now, out, [&](IkeSa& sa) {
      for (const std::string& policy : wanted) sa.want_child(policy, now, out);
    });
  }
}

// Two IKE SAs between the same identities, of which one goes.
//
// Both ends began at once, and each has authenticated the other's as well: the one with the lower SPI of its initiator goes, which both
// ends know, in the spirit of RFC 7296 2.8.1. Who initiated the other one closes it: with the response to its IKE_AUTH it knows that both
// ends have the one that stays. Not before that one has a CHILD SA for each policy that the loser serves, so that traffic never stops.
//
// unique-sa replace: the older one goes.
void Core::keep_unique(std::uint32_t id, TimePoint now, Effects& out) {
  const IkeSa* fresh = find(id);
  if (fresh == nullptr || !fresh->established() || fresh->awaits_hand_over()) return;
  std::vector<std::uint32_t> others;
  for (auto [entry, end] = by_identities_.equal_range({fresh->local_id(), fresh->peer_identity()}); entry != end; ++entry) {
    const IkeSa* sa = find(entry->second);
    if (sa != fresh && sa->established() && sa->vpn()->name == fresh->vpn()->name) others.push_back(entry->second);
  }
  for (const std::uint32_t other_id : others) {
    const IkeSa* other = find(other_id);
    if (find(id) == nullptr || other == nullptr || !fresh->established() || !other->established()) continue;
    const bool both_began = fresh->crosses(*other);
    const bool replaced =
        !both_began && fresh->vpn()->ike.unique_sa == model::UniqueSa::Replace && other->established_at() <= fresh->created_at();
    if (!both_began && !replaced) continue;
    const bool fresh_stays = replaced || fresh->initiator_spi() > other->initiator_spi();
    const std::uint32_t stays = fresh_stays ? id : other_id, goes = fresh_stays ? other_id : id;
    const bool ours = find(stays)->initiated();
    std::vector<std::string> wanted;
    touch(goes, now, out, [&](IkeSa& sa) { wanted = sa.take_wanted(); });
    const std::vector<std::string> served = find(goes)->served();
    if (ours) wanted.insert(wanted.end(), served.begin(), served.end());
    touch(stays, now, out, [&](IkeSa& sa) {
      for (const std::string& policy : wanted) sa.want_child(policy, now, out);
    });
    if (replaced) {
      touch(goes, now, out,
            [&](IkeSa& sa) { sa.retire(now + (ours ? kReplacedByOurs : kReplacedByTheirs), "replaced (unique-sa replace)"); });
      continue;
    }
    const IkeSa* survivor = find(stays);
    const bool complete =
        survivor != nullptr && std::all_of(served.begin(), served.end(), [&](const auto& one) { return survivor->serves(one); });
    if (ours && complete)
      touch(goes, now, out, [&](IkeSa& sa) { sa.delete_duplicate("both ends began at once, and the other IKE SA stays", now, out); });
  }
}

std::optional<TimePoint> Core::next_deadline() const {
  std::optional<TimePoint> out;
  if (!deadlines_.empty()) out = deadlines_.begin()->first;
  if (!ctx_.lingering.empty() && (!out || ctx_.lingering.begin()->first < *out)) out = ctx_.lingering.begin()->first;
  return out;
}

void Core::on_deadline(TimePoint now, Effects& out) {
  while (!ctx_.lingering.empty() && ctx_.lingering.begin()->first <= now) {
    const Context::Lingering one = ctx_.lingering.begin()->second;
    ctx_.lingering.erase(ctx_.lingering.begin());
    if (one.inbound) ctx_.child_spis.erase(one.id.spi);
    out.emplace_back(RemoveSa{one.id});
  }
  std::vector<std::uint32_t> due;
  for (auto entry = deadlines_.begin(); entry != deadlines_.end() && entry->first <= now; ++entry) due.push_back(entry->second);
  for (const std::uint32_t id : due) touch(id, now, out, [&](IkeSa& sa) { sa.on_deadline(now, out); });
}

// --- messages ---------------------------------------------------------------------------------------------------------------

void Core::receive(const model::Datagram& datagram, TimePoint now, Effects& out) {
  const auto header = wire::parse_header(datagram.payload);
  if (!header) {
    ctx_.count(model::Counter::Invalid, nullptr);
    return log(out, Subsystem::Encoding, 2, "datagram from " + datagram.remote.to_string() + " dropped: " + header.error().message);
  }
  if (header->major != 2) {
    ctx_.count(model::Counter::Invalid, nullptr);
    // RFC 7296 2.5: a higher version is answered, unprotected, when it is a request; never with more octets than came
    if (header->major > 2 && !header->response && datagram.payload.size() >= kMinInvalidVersionRequest) {
      answer_init(datagram, *header, NotifyType::InvalidMajorVersion, {}, out);
    }
    const std::string reason =
        "IKE version " + std::to_string(header->major) + " from " + datagram.remote.to_string() + " is not supported";
    model::Explanation why = refusal(datagram, model::Cause::Version, reason, now);
    why.advice = {model::Side::Theirs, "version", "set the peer to IKE version 2: no other is supported yet"};
    explain_to_address(ctx_, why, out);
    return log(out, Subsystem::Encoding, 1, reason);
  }
  const auto message = wire::parse_message(datagram.payload);
  if (!message) {
    ctx_.count(model::Counter::Invalid, nullptr);
    return log(out, Subsystem::Encoding, 1, "message from " + datagram.remote.to_string() + " dropped: " + message.error().message);
  }
  if (header->initiator_spi == 0) {
    ctx_.count(model::Counter::InvalidSpi, nullptr);
    return log(out, Subsystem::Encoding, 2, "message from " + datagram.remote.to_string() + " dropped: its initiator SPI is zero");
  }
  if (!header->response && header->responder_spi == 0) return on_init_request(*message, datagram, now, out);
  // the sender's I flag says which of the SPIs is ours
  const auto found = by_spi_.find(header->from_initiator ? header->responder_spi : header->initiator_spi);
  if (found == by_spi_.end()) {
    ctx_.count(model::Counter::InvalidSpi, nullptr);
    return on_unknown_ike_spi(*message, datagram, now, out);
  }
  touch(found->second, now, out, [&](IkeSa& sa) { sa.receive(*message, datagram, now, out); });
}

bool Core::answer_unprotected(const model::Datagram& request, const wire::Header& header, const std::vector<wire::Payload>& payloads,
                              Effects& out) {
  wire::Header answer;
  answer.initiator_spi = header.initiator_spi;
  answer.responder_spi = header.responder_spi;
  answer.exchange = header.exchange;
  answer.from_initiator = !header.from_initiator;
  answer.response = true;
  answer.message_id = header.message_id;
  Bytes message = wire::encode_message(answer, payloads);
  if (message.size() > request.payload.size()) return false;  // no amplification
  out.emplace_back(SendDatagram{{request.local, request.remote, std::move(message)}});
  return true;
}

void Core::answer_init(const model::Datagram& request, const wire::Header& header, NotifyType type, Bytes data, Effects& out) {
  (void)answer_unprotected(request, header, {wire::NotifyPayload{type, wire::ProtocolId::None, {}, std::move(data)}}, out);
}

model::Explanation Core::refusal(const model::Datagram& datagram, model::Cause cause, std::string reason, TimePoint now) const {
  model::Explanation out;
  out.exchange = wire::to_string(ExchangeType::IkeSaInit);
  out.cause = cause;
  out.reason = std::move(reason);
  out.local = datagram.local;
  out.remote = datagram.remote;
  out.at = now;
  return out;
}

bool Core::cookie_needed(TimePoint now) {
  const std::uint32_t threshold = ctx_.config->global.cookie_threshold;
  if (threshold == 0) return false;
  if (threshold == model::GlobalOptions::kCookieAlways) return true;
  if (half_open() >= threshold) cookies_until_ = now + kCookieCalm;
  return cookies_until_ && now < *cookies_until_;
}

void Core::on_init_request(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  const wire::Header& header = message.header;
  const auto drop = [&](const std::string& reason) {
    ctx_.count(model::Counter::Invalid, nullptr);
    log(out, Subsystem::Ike, 1, wire::to_string(header.exchange) + " request from " + datagram.remote.to_string() + " dropped: " + reason);
  };
  if (closed_) return drop("shutting down");
  const bool resumes = header.exchange == ExchangeType::IkeSessionResume;
  if ((header.exchange != ExchangeType::IkeSaInit && !resumes) || header.message_id != 0 || !header.from_initiator)
    return drop("it belongs to no IKE SA");
  if (const auto known = half_open_.find({datagram.remote, header.initiator_spi}); known != half_open_.end()) {
    // RFC 7296 2.1: a retransmission gets the same answer; anything else with this SPI is ignored
    (void)find(known->second)->answer_again(datagram, out);
    return;
  }
  if (const auto violation = check_message(header.exchange, false, message.payloads)) {
    if (violation->notify == NotifyType::UnsupportedCriticalPayload)
      answer_init(datagram, header, violation->notify, violation->notify_data, out);
    return drop(violation->reason);
  }
  const auto* nonce = find_payload<wire::NoncePayload>(message.payloads);
  const auto* ke = find_payload<wire::KePayload>(message.payloads);
  const auto* sa = find_payload<wire::SaPayload>(message.payloads);

  const auto* cookie = find_notify(message.payloads, NotifyType::Cookie);
  const bool proven = cookie != nullptr && cookies_.valid(now, cookie->data, nonce->data, datagram.remote.address, header.initiator_spi);
  if (!proven && cookie_needed(now)) return ask_for_cookie(message, datagram, now, out);
  const model::GlobalOptions& options = ctx_.config->global;
  const auto drop_for = [&](const std::string& leaf, const std::string& reason) {
    model::Explanation why = refusal(datagram, model::Cause::Limit, reason, now);
    why.advice = {model::Side::Ours, "global-options dos-protection " + leaf,
                  "raise it if these are peers of yours that all begin at once"};
    explain_to_address(ctx_, why, out);
    drop(reason);
  };
  if (options.init_limit_half_open != 0 && half_open() >= options.init_limit_half_open)
    return drop_for("init-limit-half-open", "too many half-open IKE SAs (init-limit-half-open)");
  const auto of_peer = half_open_of_.find(datagram.remote.address);
  if (options.block_threshold != 0 && of_peer != half_open_of_.end() && of_peer->second >= options.block_threshold) {
    return drop_for("block-threshold", "too many half-open IKE SAs of this address (block-threshold)");
  }

  if (resumes) return on_resume_request(message, datagram, proven, now, out);
  if (redirect_init(message, datagram, nonce->data, out)) return;

  const auto lists = ctx_.index.ike_proposals(datagram.local.address, datagram.remote.address);
  // RFC 9370 2.2.1: additional key exchanges need IKE_INTERMEDIATE
  const bool intermediate = find_notify(message.payloads, NotifyType::IntermediateExchangeSupported) != nullptr;
  const std::vector<wire::Proposal> offered = intermediate ? sa->proposals : without_additional_groups(sa->proposals);
  std::optional<wire::Proposal> choice;
  std::vector<wire::Proposal> all;
  for (const auto* list : lists) {
    if (!choice) choice = choose_proposal(*list, offered, KeyExchangeUse::Negotiate);
    all.insert(all.end(), list->begin(), list->end());
  }
  if (!choice) {
    const std::string reason = lists.empty() ? "no VPN for local address " + datagram.local.address.to_string() + " and remote address " +
                                                   datagram.remote.address.to_string()
                                             : "no proposal fits: " + explain_mismatch(all, sa->proposals, KeyExchangeUse::Negotiate);
    log(out, Subsystem::Ike, 0, "IKE_SA_INIT from " + datagram.remote.to_string() + " refused: " + reason);
    UnknownPeer peer{datagram.local.address, datagram.remote.address};
    if (!lists.empty()) peer.offered = &sa->proposals;
    explain_unknown_peer(ctx_, peer, refusal(datagram, lists.empty() ? model::Cause::NoVpn : model::Cause::IkeProposal, reason, now), out);
    return answer_init(datagram, header, NotifyType::NoProposalChosen, {}, out);
  }
  const std::uint16_t group = find_transform(*choice, wire::TransformType::KeyExchange) == nullptr
                                  ? 0
                                  : find_transform(*choice, wire::TransformType::KeyExchange)->id;
  if (group == 0) return answer_init(datagram, header, NotifyType::NoProposalChosen, {}, out);
  if (static_cast<std::uint16_t>(ke->group) != group) {
    Writer wanted;
    wanted.u16(group);
    log(out, Subsystem::Ike, 1,
        "IKE_SA_INIT from " + datagram.remote.to_string() + " has key exchange group " + std::to_string(static_cast<int>(ke->group)) +
            ", asking for " + std::to_string(group));
    return answer_init(datagram, header, NotifyType::InvalidKePayload, std::move(wanted).take(), out);
  }

  auto born = IkeSa::as_responder(ctx_, datagram.local, datagram.remote, header.initiator_spi, now);
  Effects effects;
  if (const Status accepted = born->accept_init(message, datagram, *choice, proven, now, effects); !accepted) {
    // RFC 6989 2.5: a public value that fails its checks is bad syntax
    if (accepted.error().fault == Fault::Peer) answer_init(datagram, header, NotifyType::InvalidSyntax, {}, out);
    return drop(accepted.error().message);
  }
  take_in_half_open(std::move(born), std::move(effects), message, datagram, proven, now, out);
}

void Core::ask_for_cookie(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  const auto* nonce = find_payload<wire::NoncePayload>(message.payloads);
  log(out, Subsystem::Ike, 2, "asking " + datagram.remote.to_string() + " for a cookie");
  answer_init(datagram, message.header, NotifyType::Cookie,
              cookies_.make(now, nonce->data, datagram.remote.address, message.header.initiator_spi), out);
}

void Core::take_in_half_open(std::unique_ptr<IkeSa> born, Effects effects, const wire::Message& message, const model::Datagram& datagram,
                             bool proven, TimePoint now, Effects& out) {
  // An answer larger than the request could be aimed at somebody else: first the sender has to show that it is where it says.
  const bool larger = std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
    const auto* sent = std::get_if<SendDatagram>(&effect);
    return sent != nullptr && sent->datagram.payload.size() > datagram.payload.size();
  });
  if (larger && !proven) return ask_for_cookie(message, datagram, now, out);
  std::move(effects.begin(), effects.end(), std::back_inserter(out));
  const Origin origin{datagram.remote, message.header.initiator_spi};
  half_open_[origin] = born->id();
  origin_of_half_open_[born->id()] = origin;
  ++half_open_of_[datagram.remote.address];
  const IkeSa& sa_born = *born;
  adopt(std::move(born));
  reschedule(sa_born);
}

// --- kernel -----------------------------------------------------------------------------------------------------------------

void Core::acquire(std::uint32_t reqid, TimePoint now, Effects& out) {
  const auto trap = trap_of_reqid_.find(reqid);
  if (trap == trap_of_reqid_.end())
    return log(out, Subsystem::Kernel, 2, "acquire for reqid " + std::to_string(reqid) + ", which is no trap of ours");
  const auto [vpn, policy] = trap->second;
  log(out, Subsystem::Kernel, 1, "traffic for " + vpn + " " + policy + ", no SA yet");
  if (const Status status = initiate(vpn, policy, now, out); !status) log(out, Subsystem::Ike, 1, vpn + ": " + status.error().message);
}

void Core::expire(const model::SaId& id, bool hard, TimePoint now, Effects& out) {
  const auto owner = ctx_.sa_owners.find(id);
  if (owner == ctx_.sa_owners.end()) return;
  const std::uint32_t child = owner->second.child;
  touch(owner->second.ike, now, out, [&](IkeSa& sa) {
    if (hard) {
      sa.end_child(child, "its kernel SA reached the end of its life", now, out);
    } else {
      sa.rekey_child(child, now, out);
    }
  });
}

void Core::mapping_moved(const model::SaId& id, const Endpoint& from, TimePoint now, Effects& out) {
  const auto owner = ctx_.sa_owners.find(id);
  if (owner == ctx_.sa_owners.end()) return;
  touch(owner->second.ike, now, out, [&](IkeSa& sa) { sa.mapping_moved(from, now, out); });
}

void Core::paths_changed(TimePoint now, Effects& out) {
  std::vector<std::uint32_t> all;
  for (const auto& [id, sa] : sas_) all.push_back(id);
  ctx_.one_look.emplace();
  for (const std::uint32_t id : all) touch(id, now, out, [&](IkeSa& sa) { sa.paths_changed(now, out); });
  ctx_.one_look.reset();
  settle_traps(out);
}

// Traps that were set before there was a way to the peer get its local address. The old one goes last: there is always one.
void Core::settle_traps(Effects& out) {
  std::vector<TrapKey> keys;
  for (const auto& [key, trap] : traps_) {
    const auto vpn = ctx_.config->vpns.find(key.first);
    if (trap.provisional && vpn != ctx_.config->vpns.end() && ctx_.source_address(*vpn->second->remote_address)) keys.push_back(key);
  }
  for (const TrapKey& key : keys) {
    const Trap before = std::move(traps_.extract(key).mapped());
    trap_of_reqid_.erase(before.reqid);
    const VpnPtr& vpn = ctx_.config->vpns.at(key.first);
    if (const auto* policy = vpn->find_policy(key.second)) set_trap(vpn, *policy, out);
    out.emplace_back(ReleasePolicies{before.owner});
    ctx_.reqids.release(before.reqid);
  }
}

void Core::install_failed(std::uint32_t child, const std::string& reason, TimePoint now, Effects& out) {
  for (const auto& [id, owner] : ctx_.sa_owners) {
    if (owner.child != child) continue;
    return touch(owner.ike, now, out, [&, child](IkeSa& sa) { sa.child_lost(child, reason, now, out); });
  }
}

void Core::on_signature(const Ticket& ticket, Result<crypto::Signature> signature, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_signature(ticket.number, std::move(signature), now, out); });
}

void Core::on_verified(const Ticket& ticket, crypto::Verification chain, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_verified(ticket.number, std::move(chain), now, out); });
}

void Core::on_stapled(const Ticket& ticket, Bytes response, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_stapled(ticket.number, std::move(response), now, out); });
}

void Core::on_looked_up(const Ticket& ticket, Result<std::vector<Bytes>> certificates, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_looked_up(ticket.number, std::move(certificates), now, out); });
}

bool Core::limit_session(std::uint32_t ike, seconds from_now, TimePoint now, Effects& out) {
  if (find(ike) == nullptr) return false;
  touch(ike, now, out, [&](IkeSa& sa) { sa.limit_session(from_now, now); });
  return true;
}

void Core::on_radius_answer(const Ticket& ticket, radius::EapAnswer answer, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_radius_answer(ticket.number, std::move(answer), now, out); });
}

void Core::on_eap_step(const Ticket& ticket, eap::Step step, TimePoint now, Effects& out) {
  touch(ticket.ike, now, out, [&](IkeSa& sa) { sa.on_eap_step(ticket.number, std::move(step), now, out); });
}

void Core::resync(const std::set<model::SaId>& present, TimePoint now, Effects& out) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lost;
  for (const auto& [id, sa] : sas_) {
    for (const auto& child : sa->children()) {
      const bool complete = present.contains(child->inbound) && (!child->outbound_installed || present.contains(child->outbound));
      if (!complete) lost.emplace_back(id, child->unique_id);
    }
  }
  for (const auto& [ike, child] : lost) {
    touch(ike, now, out, [&, child = child](IkeSa& sa) { sa.delete_child(child, "its kernel SA is gone", now, out); });
  }
}

// --- commands ---------------------------------------------------------------------------------------------------------------

namespace {

// an address that is configured may be named again, and not be changed
Status check_address(const model::Vpn& vpn, const char* leaf, const std::optional<IpAddress>& configured,
                     const std::optional<IpAddress>& given) {
  if (!configured || !given || *configured == *given) return {};
  return config_error("VPN " + vpn.name + " has " + leaf + " " + configured->to_string() + ", not " + given->to_string());
}

}  // namespace

Status Core::connect(const VpnPtr& vpn, std::vector<std::string> policies, const Between& between, std::uint32_t attempt, TimePoint now,
                     Effects& out, const Beginning& beginning) {
  if (Status status = check_address(*vpn, "local-address", vpn->local_address, between.local); !status) return status;
  if (Status status = check_address(*vpn, "remote-address", vpn->remote_address, between.remote); !status && !beginning.redirected_from)
    return status;
  const auto remote = between.remote ? between.remote : vpn->remote_address;
  if (!remote) return config_error("VPN " + vpn->name + " has no remote-address: it can only respond");
  auto local = between.local ? between.local : vpn->local_address;
  if (!local) local = ctx_.source_address(*remote);
  if (local && local->family() != remote->family())
    return config_error("from " + local->to_string() + " to " + remote->to_string() + ": both must be IPv4, or both IPv6");
  if (!local) {
    const std::string reason = "there is no route to " + remote->to_string();
    model::Explanation why;
    why.vpn = vpn->name;
    why.exchange = wire::to_string(ExchangeType::IkeSaInit);
    why.initiator = true;
    why.remote = {*remote, model::kIkePort};
    why.cause = model::Cause::NoRoute;
    why.reason = reason;
    why.advice = {model::Side::Ours, "vpn " + vpn->name + " remote-address", "correct it, add a route to it, or set local-address"};
    why.at = now;
    out.emplace_back(Explained{std::move(why)});
    return system_error(reason);
  }
  auto born = IkeSa::as_initiator(ctx_, vpn, {*local, model::kIkePort}, {*remote, model::kIkePort}, now);
  const std::uint32_t id = born->id();
  born->set_replaces(beginning.replaces);
  if (!beginning.redirected_from) born->set_between(between);
  if (const auto kept = ctx_.kept_tickets.find(vpn->name); kept != ctx_.kept_tickets.end()) {
    const bool fits = vpn->ike.session_resumption && kept->second.gateway == *remote && now < kept->second.expires;
    if (fits && beginning.replaces == 0) born->resume_with(std::move(kept->second));
    ctx_.kept_tickets.erase(kept);
  }
  if (beginning.redirected_from) born->set_redirected_from(*beginning.redirected_from);
  adopt(std::move(born));
  touch(id, now, out, [&](IkeSa& sa) { sa.start(std::move(policies), attempt, now, out); });
  return {};
}

std::uint32_t Core::usable(const std::string& vpn, const Between& between) const {
  std::uint32_t out = 0;
  for (auto [entry, end] = by_vpn_.equal_range(vpn); entry != end; ++entry) {
    const IkeSa* sa = find(entry->second);
    const bool connecting = sa->phase() == model::IkeSaPhase::Created || sa->phase() == model::IkeSaPhase::Connecting;
    if (!((sa->established() && !sa->awaits_hand_over()) || connecting)) continue;
    if (between.local && *between.local != sa->local().address) continue;
    if (between.remote && *between.remote != sa->remote().address) continue;
    // of several, one that stands; of two that began at once, the one that stays
    const auto rank = [](const IkeSa& one) { return std::pair(one.established(), one.initiator_spi()); };
    if (out == 0 || rank(*sa) > rank(*find(out))) out = entry->second;
  }
  return out;
}

Status Core::initiate(const std::string& name, const std::string& policy, const Between& between, TimePoint now, Effects& out) {
  const auto found = ctx_.config->vpns.find(name);
  if (found == ctx_.config->vpns.end()) return config_error("there is no VPN " + name);
  const VpnPtr& vpn = found->second;
  const model::SecurityPolicy* only = vpn->find_policy(policy);
  if (!policy.empty() && only == nullptr) return config_error("VPN " + name + " has no security-policy " + policy);
  if (only != nullptr && !only->negotiated())
    return config_error("security-policy " + policy + " of VPN " + name + " passes or drops: there is nothing to negotiate");
  std::vector<std::string> policies;
  for (const model::SecurityPolicy& one : vpn->policies) {
    if (one.negotiated() && (policy.empty() || one.name == policy)) policies.push_back(one.name);
  }
  const std::uint32_t id = usable(name, between);
  if (id == 0) return connect(vpn, std::move(policies), between, 1, now, out, {});
  touch(id, now, out, [&](IkeSa& sa) {
    for (const std::string& one : policies) sa.want_child(one, now, out);
  });
  return {};
}

std::vector<std::uint32_t> Core::selected(const Selection& which) const {
  std::vector<std::uint32_t> ids;
  if (which.ike != 0) {
    ids.push_back(which.ike);
  } else if (!which.vpn.empty()) {
    for (auto [entry, end] = by_vpn_.equal_range(which.vpn); entry != end; ++entry) ids.push_back(entry->second);
  } else if (which.of_children()) {
    for (const auto& [id, sa] : sas_) ids.push_back(id);
  }
  std::erase_if(ids, [&](std::uint32_t id) {
    const IkeSa* sa = find(id);
    if (sa == nullptr || sa->finished()) return true;
    if (!which.vpn.empty() && (!sa->vpn() || sa->vpn()->name != which.vpn)) return true;
    return which.of_children() && selected_children(*sa, which).empty();
  });
  return ids;
}

std::vector<std::uint32_t> Core::selected_children(const IkeSa& sa, const Selection& which) {
  std::vector<std::uint32_t> ids;
  for (const auto& child : sa.children()) {
    if (!which.policy.empty() && child->policy->name != which.policy) continue;
    if (which.child != 0 && child->unique_id != which.child) continue;
    ids.push_back(child->unique_id);
  }
  return ids;
}

namespace {

// "VPN hq has no IKE SA", "there is no CHILD SA {7}"
Error nothing_selected(const Core::Selection& which, const std::string& what) {
  std::string text = which.vpn.empty() ? "there is no " : "VPN " + which.vpn + " has no ";
  text += which.of_children() ? "CHILD SA" : what;
  if (!which.policy.empty()) text += " of security-policy " + which.policy;
  if (which.child != 0) text += " {" + std::to_string(which.child) + "}";
  if (which.ike != 0) text += std::string(which.of_children() ? " in IKE SA" : "") + " [" + std::to_string(which.ike) + "]";
  return {Fault::Configuration, text};
}

}  // namespace

Status Core::terminate(const Selection& which, TimePoint now, Effects& out) {
  bool any = false;
  for (const std::uint32_t id : selected(which)) {
    const IkeSa* one = find(id);
    if (one == nullptr || one->phase() == model::IkeSaPhase::Deleting) continue;
    any = true;
    touch(id, now, out, [&](IkeSa& sa) {
      if (!which.of_children()) return sa.delete_ike("terminated by command", now, out);
      for (const std::uint32_t child : selected_children(sa, which)) sa.delete_child(child, "terminated by command", now, out);
    });
  }
  if (!any) return fail(nothing_selected(which, "IKE SA"));
  return {};
}

Status Core::rekey(const Selection& which, TimePoint now, Effects& out) {
  bool any = false;
  for (const std::uint32_t id : selected(which)) {
    const IkeSa* one = find(id);
    if (one == nullptr || !one->established() || one->awaits_hand_over()) continue;
    any = true;
    touch(id, now, out, [&](IkeSa& sa) {
      if (which.reauthenticate) return sa.reauthenticate(now, out);
      if (!which.of_children()) return sa.rekey(now, out);
      for (const std::uint32_t child : selected_children(sa, which)) sa.rekey_child(child, now, out);
    });
  }
  if (!any) return fail(nothing_selected(which, "established IKE SA"));
  return {};
}

Result<std::size_t> Core::redirect(const Peers& peers, const wire::GatewayIdentity& gateway, TimePoint now, Effects& out) {
  std::vector<std::uint32_t> ids;
  for (const auto& [id, sa] : sas_) {
    if (!sa->established() || sa->awaits_hand_over() || sa->phase() == model::IkeSaPhase::Deleting) continue;
    if (peers.ike != 0 && id != peers.ike) continue;
    if (!peers.vpn.empty() && sa->vpn()->name != peers.vpn) continue;
    if (peers.addresses && !peers.addresses->contains(sa->remote().address)) continue;
    if (peers.id && !peers.id->matches(sa->remote_id())) continue;
    ids.push_back(id);
  }
  std::size_t asked = 0;
  std::string why_not;
  for (const std::uint32_t id : ids) {
    touch(id, now, out, [&](IkeSa& sa) {
      const Status begun = sa.redirect(gateway, now, out);
      if (begun) return void(++asked);
      why_not = "[" + std::to_string(id) + "]: " + begun.error().message;
    });
  }
  if (asked == 0 && !why_not.empty()) return config_error("IKE SA " + why_not);
  return asked;
}

Status Core::install(const std::string& name, const std::string& policy, Effects& out) {
  const auto found = ctx_.config->vpns.find(name);
  if (found == ctx_.config->vpns.end()) return config_error("there is no VPN " + name);
  const VpnPtr& vpn = found->second;
  if (!policy.empty() && vpn->find_policy(policy) == nullptr) return config_error("VPN " + name + " has no security-policy " + policy);
  bool any = false;
  for (const model::SecurityPolicy& one : vpn->policies) {
    if (!policy.empty() && one.name != policy) continue;
    stopgaps_.erase({name, one.name});  // it is to stay now
    set_trap(vpn, one, out);
    any |= traps_.contains({name, one.name});
  }
  if (!any && !vpn->remote_address) return config_error("VPN " + name + " has no remote-address: it can only respond");
  if (!any) return config_error("VPN " + name + ": no trap could be set, the log says why");
  return {};
}

Status Core::uninstall(const std::string& name, const std::string& policy, Effects& out) {
  std::vector<TrapKey> keys;
  for (const std::string& one : trapped_policies(name)) {
    if (policy.empty() || one == policy) keys.emplace_back(name, one);
  }
  for (const TrapKey& key : keys) release_trap(key, out);
  if (keys.empty()) return config_error("VPN " + name + " has no trap" + (policy.empty() ? "" : " for security-policy " + policy));
  return {};
}

std::size_t Core::matching(const std::string& vpn, const std::string& policy, std::uint32_t ike, std::uint32_t child) const {
  std::size_t count = 0;
  const auto look = [&](const IkeSa& sa) {
    if (sa.finished() || sa.phase() == model::IkeSaPhase::Deleting || (ike != 0 && sa.id() != ike)) return;
    if (policy.empty() && child == 0) {
      ++count;
      return;
    }
    for (const auto& one : sa.children()) {
      if ((policy.empty() || one->policy->name == policy) && (child == 0 || one->unique_id == child)) ++count;
    }
  };
  if (vpn.empty()) {
    for (const auto& [id, sa] : sas_) look(*sa);
  } else {
    for (auto [entry, end] = by_vpn_.equal_range(vpn); entry != end; ++entry) look(*find(entry->second));
  }
  return count;
}

std::vector<std::string> Core::trapped_policies(const std::string& vpn) const {
  std::vector<std::string> out;
  for (auto trap = traps_.lower_bound({vpn, {}}); trap != traps_.end() && trap->first.first == vpn; ++trap)
    out.push_back(trap->first.second);
  return out;
}

Status Core::reset_counters(const std::string& vpn, bool all) {
  if (!vpn.empty()) {
    const auto counters = ctx_.vpn_counters.find(vpn);
    if (counters == ctx_.vpn_counters.end() && !ctx_.config->vpns.contains(vpn)) return config_error("there is no VPN " + vpn);
    if (counters != ctx_.vpn_counters.end()) counters->second = {};
    return {};
  }
  ctx_.counters = {};
  if (all) ctx_.vpn_counters.clear();
  return {};
}

void Core::close(TimePoint now, Effects& out) {
  closed_ = true;
  std::vector<std::uint32_t> all;
  for (const auto& [id, sa] : sas_) all.push_back(id);
  for (const std::uint32_t id : all) touch(id, now, out, [&](IkeSa& sa) { sa.delete_ike("shutting down", now, out); });
  while (!traps_.empty()) {
    const TrapKey key = traps_.begin()->first;
    release_trap(key, out);
  }
  for (const auto& [at, one] : std::exchange(ctx_.lingering, {})) out.emplace_back(RemoveSa{one.id});
}

// --- configuration ----------------------------------------------------------------------------------------------------------

void Core::apply(model::ConfigurationPtr configuration, TimePoint now, Effects& out) {
  closed_ = false;
  const model::ConfigurationPtr before = std::exchange(ctx_.config, std::move(configuration));
  const auto& after = *ctx_.config;
  ctx_.index = VpnIndex(after);
  if (after.preshared_keys != before->preshared_keys) ctx_.psks = auth::PskStore(after.preshared_keys);
  if (after.eap_keys != before->eap_keys) ctx_.eap_keys = auth::PskStore(after.eap_keys);
  if (after.ppks != before->ppks) ctx_.ppks = auth::PpkStore(after.ppks);
  const std::set<std::uint32_t> homeless = ctx_.pools.configure(after.pools);
  for (const IpAddress& address : std::exchange(reserved_, {})) ctx_.pools.reserve(address);
  std::vector<VpnPtr> to_start;
  for_each_pair(before->vpns, after.vpns, [&](const std::string& name, const VpnPtr* old, const VpnPtr* kept) {
    // configurations share what is equal: most are the same object
    const bool same = old != nullptr && kept != nullptr && (*old == *kept || **old == **kept);
    if (old != nullptr && (kept == nullptr || !after.enabled)) {
      stop_vpn(name, "no longer configured", now, out);
    } else if (old != nullptr && !same) {
      stop_vpn(name, "its configuration changed", now, out);
    }
    if (kept != nullptr && after.enabled && !(same && before->enabled)) to_start.push_back(*kept);
  });
  for (const std::uint32_t id : homeless)
    touch(id, now, out, [&](IkeSa& sa) { sa.delete_ike("its virtual address is in no pool any more", now, out); });
  for (const VpnPtr& vpn : to_start) start_vpn(vpn, now, out);
}

void Core::start_vpn(const VpnPtr& vpn, TimePoint now, Effects& out) {
  for (const model::SecurityPolicy& policy : vpn->policies) {
    if (!policy.negotiated() || vpn->ipsec_of(policy).start_action != StartAction::None) set_trap(vpn, policy, out);
  }
  if (!vpn->remote_address || vpn->version != 2) return;  // it responds
  for (const model::SecurityPolicy& policy : vpn->policies) {
    if (!policy.negotiated() || vpn->ipsec_of(policy).start_action != StartAction::Start) continue;
    const Status status = initiate(vpn->name, policy.name, now, out);
    if (!status) return log(out, Subsystem::Ike, 0, vpn->name + ": " + status.error().message);
  }
}

void Core::stop_vpn(const std::string& name, const std::string& reason, TimePoint now, Effects& out) {
  std::vector<std::uint32_t> sas;
  for (auto [entry, end] = by_vpn_.equal_range(name); entry != end; ++entry) sas.push_back(entry->second);
  for (const std::uint32_t id : sas) touch(id, now, out, [&](IkeSa& sa) { sa.delete_ike(reason, now, out); });
  std::vector<TrapKey> keys;
  for (auto trap = traps_.lower_bound({name, {}}); trap != traps_.end() && trap->first.first == name; ++trap) keys.push_back(trap->first);
  for (const TrapKey& key : keys) release_trap(key, out);
  ctx_.redirects.forget(name);
  ctx_.kept_tickets.erase(name);
}

void Core::set_trap(const VpnPtr& vpn, const model::SecurityPolicy& policy, Effects& out) {
  const TrapKey key{vpn->name, policy.name};
  if (traps_.contains(key)) return;
  if (!policy.negotiated()) return set_shunt(vpn, policy, out);
  if (!vpn->remote_address || vpn->version != 2) return;
  auto local = vpn->local_address ? vpn->local_address : ctx_.source_address(*vpn->remote_address);
  const bool provisional = !local;
  if (provisional) {
    log(out, Subsystem::Child, 1,
        vpn->name + ": there is no route to " + vpn->remote_address->to_string() + " yet: the trap of " + policy.name +
            " is for any local address");
    local = IpAddress::any(vpn->remote_address->family());
  }
  const PolicyTarget target{&policy, *local, *vpn->remote_address, 0};
  // Before our address is known, virtual or not, whatever goes to the peer's side is trapped: nothing of it may pass in clear.
  std::vector<Prefix> ours;
  for (const IpAddress& asked : vpn->vip_request) ours.push_back(Prefix::any(asked.family()));
  if (ours.empty()) ours.push_back(provisional ? Prefix::any(local->family()) : Prefix::host(*local));
  auto policies = policies_for(selectors_of(policy.local_ts, ours), selectors_of(policy.remote_ts, *vpn->remote_address), target);
  if (policies.empty())
    return log(out, Subsystem::Child, 0, vpn->name + ": no trap for " + policy.name + ": its selectors make no policy, or too many");
  Trap trap{next_trap_++, ctx_.reqids.acquire(policies), vpn->name, policy.name, provisional};
  for (model::SetPolicy& one : policies) one.reqid = trap.reqid;
  out.emplace_back(ClaimPolicies{trap.owner, std::move(policies)});
  log(out, Subsystem::Child, 1, vpn->name + ": traffic of " + policy.name + " will bring it up");
  trap_of_reqid_[trap.reqid] = key;
  traps_.emplace(key, std::move(trap));
}

// A policy that passes or drops stands as long as its VPN is configured: it is a trap that nothing falls into.
void Core::set_shunt(const VpnPtr& vpn, const model::SecurityPolicy& policy, Effects& out) {
  const auto local = vpn->local_address || !vpn->remote_address ? vpn->local_address : ctx_.source_address(*vpn->remote_address);
  const auto dynamic = [](const std::vector<model::SelectorConfig>& selectors) {
    return std::any_of(selectors.begin(), selectors.end(), [](const auto& one) { return !one.subnet; });
  };
  const auto give_up = [&](const std::string& why) {
    log(out, Subsystem::Child, 0, vpn->name + ": " + policy.name + " is not in force: " + why);
  };
  if (dynamic(policy.local_ts) && !local) return give_up("its local-ts has no subnet, and no local address is known");
  if (dynamic(policy.remote_ts) && !vpn->remote_address) return give_up("its remote-ts has no subnet, and there is no remote-address");
  const IpAddress here = local.value_or(IpAddress{}), there = vpn->remote_address.value_or(IpAddress{});
  auto policies = policies_for(selectors_of(policy.local_ts, here), selectors_of(policy.remote_ts, there), {&policy, here, there, 0});
  if (policies.empty()) return give_up("its selectors make no policy, or too many");
  Trap trap{next_trap_++, 0, vpn->name, policy.name, false};
  out.emplace_back(ClaimPolicies{trap.owner, std::move(policies)});
  log(out, Subsystem::Child, 1,
      vpn->name + ": traffic of " + policy.name + (policy.action == model::PolicyAction::Pass ? " passes in clear" : " is dropped"));
  traps_.emplace(TrapKey{vpn->name, policy.name}, std::move(trap));
}

void Core::release_trap(const TrapKey& key, Effects& out) {
  stopgaps_.erase(key);
  const auto trap = traps_.find(key);
  if (trap == traps_.end()) return;
  out.emplace_back(ReleasePolicies{trap->second.owner});
  ctx_.reqids.release(trap->second.reqid);
  trap_of_reqid_.erase(trap->second.reqid);
  traps_.erase(trap);
}

// --- state ------------------------------------------------------------------------------------------------------------------

bool Core::lingers(const model::SaId& id) const {
  return std::any_of(ctx_.lingering.begin(), ctx_.lingering.end(), [&](const auto& entry) { return entry.second.id == id; });
}

bool Core::carries(std::uint32_t reqid) const {
  return std::any_of(sas_.begin(), sas_.end(), [&](const auto& entry) {
    const auto& children = entry.second->children();
    return std::any_of(children.begin(), children.end(), [&](const auto& child) { return child->reqid == reqid; });
  });
}

bool Core::established(const std::string& vpn) const {
  const auto [first, last] = by_vpn_.equal_range(vpn);
  return std::any_of(first, last, [&](const auto& entry) { return find(entry.second)->established(); });
}

std::size_t Core::ike_sas() const {
  return static_cast<std::size_t>(std::count_if(sas_.begin(), sas_.end(), [](const auto& entry) { return !entry.second->finished(); }));
}

std::optional<Core::TrapOwner> Core::trap_owner(std::uint32_t reqid) const {
  const auto found = trap_of_reqid_.find(reqid);
  if (found == trap_of_reqid_.end()) return std::nullopt;
  return TrapOwner{found->second.first, found->second.second};
}

std::optional<model::IkeSaState> Core::sa_state(std::uint32_t ike, TimePoint now) const {
  const IkeSa* sa = find(ike);
  if (sa == nullptr || sa->finished()) return std::nullopt;
  return sa->state(now);
}

model::RuntimeState Core::summary() const {
  model::RuntimeState out;
  out.ike_sas_half_open = half_open();
  out.counters = ctx_.counters;
  out.vpn_counters = ctx_.vpn_counters;
  for (const auto& [name, vpn] : ctx_.config->vpns) out.vpn_counters.try_emplace(name);
  out.ike_sas_total = ike_sas();
  return out;
}

model::RuntimeState Core::state(TimePoint now) const {
  model::RuntimeState out = summary();
  for (const auto& [id, sa] : sas_) {
    if (!sa->finished()) out.ike_sas.push_back(sa->state(now));
  }
  return out;
}

std::vector<std::uint32_t> Core::listed(const Selection& which) const {
  std::vector<std::uint32_t> ids;
  if (which.ike != 0 || !which.vpn.empty() || which.of_children()) {
    ids = selected(which);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  ids.reserve(sas_.size());
  for (const auto& [id, sa] : sas_) {
    if (!sa->finished()) ids.push_back(id);
  }
  return ids;
}

}  // namespace svti::sa
