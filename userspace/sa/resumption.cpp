// SPDX-License-Identifier: Apache-2.0
// IKE_SESSION_RESUME and the IKE_AUTH that follows it, both roles, and tickets: RFC 5723.
#include "sa/resumption.h"

#include <algorithm>

#include "auth/certificates.h"
#include "crypto/sk_cipher.h"
#include "sa/core.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::Identity;
using model::IkeSaPhase;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kNumberSize = 16;
constexpr std::size_t kNonceSize = 32;
constexpr std::size_t kLtSize = 4;
constexpr std::size_t kMaxCookieSize = 64;
constexpr std::uint32_t kMaxRounds = 5;
constexpr Duration kAskAgain = seconds(10);  // for a ticket of an IKE SA that the gateway has rekeyed

wire::NotifyPayload status(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

void write(Writer& out, ByteView octets) {
  out.u16(static_cast<std::uint16_t>(octets.size()));
  out.bytes(octets);
}

void write(Writer& out, const Identity& id) {
  out.u8(static_cast<std::uint8_t>(id.type));
  write(out, id.data);
}

// A ticket is read back after its ICV was found right: what fails here is a ticket of another version.
struct Parts {
  explicit Parts(ByteView octets) : reader(octets) {}
  template <typename T>
  T keep(Result<T> value) {
    if (!value) failed = true;
    return value ? std::move(*value) : T{};
  }
  Bytes octets() { return to_bytes(keep(reader.take(keep(reader.u16())))); }
  Identity identity() {
    const auto type = static_cast<wire::IdType>(keep(reader.u8()));
    return {type, octets()};
  }

  Reader reader;
  bool failed = false;
};

}  // namespace

// --- tickets -----------------------------------------------------------------------------------------------------------------

void TicketMint::set_secret(Secret secret, std::function<seconds()> wall) {
  secret_ = std::move(secret);
  wall_ = std::move(wall);
}

namespace {

const wire::Transform kCipher = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 256);
constexpr auto kIntegrity = wire::IntegrityId::HmacSha256_128;

// CBC draws its IVs: a counting AEAD would begin anew in each life of the daemon
crypto::SkCipher cipher_of(const Secret& secret, std::uint32_t day) {
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  const auto sizes = crypto::sk_key_sizes(kCipher, kIntegrity).value();
  Writer seed;
  seed.bytes(as_bytes("ticket key"));
  seed.u32(day);
  const Secret keys = kPrf.plus(secret.view(), seed.view(), sizes.encryption + sizes.integrity);
  return crypto::SkCipher::create(kCipher, kIntegrity, keys.slice(0, sizes.encryption), keys.slice(sizes.encryption, sizes.integrity))
      .value();
}

std::uint32_t day_of(seconds wall) { return static_cast<std::uint32_t>(wall / TicketMint::kLife); }

Bytes head_of(std::uint32_t day) {
  Writer out;
  out.u8(kVersion);
  out.u32(day);
  return std::move(out).take();
}

}  // namespace

Bytes TicketMint::make(const TicketContent& content, Entropy& entropy) const {
  Writer out;
  out.bytes(content.number);
  out.u64(static_cast<std::uint64_t>(content.expires.count()));
  out.u64(static_cast<std::uint64_t>(content.authenticated.count()));
  out.u64(content.own_spi);
  write(out, as_bytes(content.vpn));
  write(out, content.session.local_id);
  write(out, content.session.remote_id);
  out.u8(static_cast<std::uint8_t>(content.session.choice.transforms.size()));
  for (const wire::Transform& one : content.session.choice.transforms) {
    out.u8(static_cast<std::uint8_t>(one.type));
    out.u16(one.id);
    out.u16(one.key_bits);
  }
  out.u8(content.session.ppk ? 1 : 0);
  write(out, content.eap ? as_bytes(name_of(content.eap->method)) : ByteView());
  if (content.eap) write(out, content.eap->id);
  if (content.eap) write(out, content.eap->mark);
  Secret plaintext(out.size() + 2 + content.session.sk_d.size());
  Writer size;
  size.u16(static_cast<std::uint16_t>(content.session.sk_d.size()));
  auto at = plaintext.mutable_view().begin();
  for (const ByteView part : {out.view(), size.view(), content.session.sk_d.view()}) at = std::copy(part.begin(), part.end(), at);
  const std::uint32_t day = day_of(wall_());
  Bytes ticket = head_of(day);
  const Bytes body = cipher_of(secret_, day).seal(ticket, plaintext.view(), entropy);
  ticket.insert(ticket.end(), body.begin(), body.end());
  return ticket;
}

std::optional<TicketContent> TicketMint::read(ByteView ticket) const {
  if (!any() || ticket.size() > kMostTicket) return std::nullopt;
  Reader head(ticket);
  const auto version = head.u8();
  const auto day = head.u32();
  if (!version || !day || *version != kVersion) return std::nullopt;
  const std::uint32_t today = day_of(wall_());
  if (*day != today && *day + 1 != today) return std::nullopt;
  const ByteView body = head.take_rest();
  auto opened = cipher_of(secret_, *day).open(ticket.first(ticket.size() - body.size()), body);
  if (!opened) return std::nullopt;
  const Secret plaintext{ByteView(*opened)};
  wipe(*opened);
  Parts parts(plaintext.view());
  TicketContent out;
  out.number = to_bytes(parts.keep(parts.reader.take(kNumberSize)));
  out.expires = seconds(static_cast<seconds::rep>(parts.keep(parts.reader.u64())));
  out.authenticated = seconds(static_cast<seconds::rep>(parts.keep(parts.reader.u64())));
  out.own_spi = parts.keep(parts.reader.u64());
  out.vpn = std::string(as_text(parts.octets()));
  out.session.local_id = parts.identity();
  out.session.remote_id = parts.identity();
  out.session.choice.protocol = wire::ProtocolId::Ike;
  for (std::size_t left = parts.keep(parts.reader.u8()); left > 0 && !parts.failed; --left) {
    wire::Transform one;
    one.type = static_cast<wire::TransformType>(parts.keep(parts.reader.u8()));
    one.id = parts.keep(parts.reader.u16());
    one.key_bits = parts.keep(parts.reader.u16());
    out.session.choice.transforms.push_back(one);
  }
  out.session.ppk = parts.keep(parts.reader.u8()) != 0;
  if (const Bytes name = parts.octets(); !name.empty()) {
    const auto method = std::find(model::kAuthMethodNames.begin(), model::kAuthMethodNames.end(), as_text(name));
    if (method == model::kAuthMethodNames.end()) return std::nullopt;
    out.eap = EapProof{static_cast<model::AuthMethod>(method - model::kAuthMethodNames.begin()), parts.identity(), parts.octets()};
  }
  out.session.sk_d = Secret(parts.keep(parts.reader.take(parts.keep(parts.reader.u16()))));
  if (parts.failed || !parts.reader.empty() || out.expires <= wall_() || spent_.contains(out.number)) return std::nullopt;
  return out;
}

Bytes TicketMint::mark(const Secret& password) const {
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  const Secret key = kPrf(secret_.view(), {as_bytes("password of a ticket")});
  return to_bytes(kPrf(key.view(), {password.view()}).view());
}

void TicketMint::spend(const TicketContent& content) {
  const seconds now = wall_();
  if (spent_.size() >= kMostSpent) std::erase_if(spent_, [&](const auto& one) { return one.second <= now; });
  // With that many in a day, what is remembered longest goes: its ticket could be used again by who has its keys, and by nobody else.
  if (spent_.size() >= kMostSpent)
    spent_.erase(std::min_element(spent_.begin(), spent_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
  spent_[content.number] = content.expires;
}

// --- given and kept ----------------------------------------------------------------------------------------------------------

namespace {

// of the password that proves who this user is by this method; nothing: it has none any more
std::optional<Bytes> eap_mark(const Context& context, model::AuthMethod method, const Identity& local, const Identity& user) {
  if (method == model::AuthMethod::EapTls) return Bytes();
  const model::EapKey* key = context.eap_keys.find(local, user);
  return key == nullptr ? std::nullopt : std::optional(context.tickets.mark(key->secret));
}

// Whether the VPN, as it is now, would have the peer prove itself so: by the same method, as the same user, with the same password, and
// with a PPK where it has to be. With EAP and several rounds of authentication there is more than that to look at, and no ticket.
bool still_holds(const Context& context, const model::Vpn& vpn, const TicketContent& content) {
  if (vpn.ike.ppk_required && !content.session.ppk) return false;
  const model::Authentication& how = vpn.authentication;
  const bool further =
      std::any_of(how.further_remote.begin(), how.further_remote.end(), [](const auto& one) { return is_eap(one.method); });
  if (!content.eap) return !is_eap(how.remote) && !further;
  if (how.has_several_rounds() || how.remote != content.eap->method) return false;
  const Identity& user = content.eap->id;
  const Session& session = content.session;
  if (!(how.remote_eap_id ? how.remote_eap_id->matches(user) : eap_identity(eap_octets(session.remote_id)) == user)) return false;
  const auto mark = eap_mark(context, how.remote, session.local_id, user);
  return mark && constant_time_equal(*mark, content.eap->mark);
}

}  // namespace

// The gateway's answer to TICKET_REQUEST.
void IkeSa::add_ticket(const Payloads& request, Payloads& answer, TimePoint now) {
  if (find_notify(request, NotifyType::TicketRequest) == nullptr) return;
  // Only the end that began may resume; and none is given when there is nothing to keep it from the rest of the world (RFC 5723 4.2).
  // RADIUS servers have let the peer in once: whether it may come again, with which addresses and for how long, is theirs to say, and a
  // Disconnect-Request while it is away would find nobody.
  if (eap_method_ == model::AuthMethod::EapRadius || mobike_initiator_ || !vpn_->ike.session_resumption || !ctx_.tickets.any() ||
      !established())
    return answer.push_back(status(NotifyType::TicketNack, {}));
  TicketContent content;
  seconds life = TicketMint::kLife;
  content.authenticated = authenticated_until_.value_or(seconds(0));
  // RFC 5723 6.1: no longer than the authentication is good for
  if (authenticated_until_) life = std::min(life, *authenticated_until_ - ctx_.tickets.wall());
  if (dies_at_ && authentication_ends_) life = std::min(life, std::chrono::duration_cast<seconds>(*authentication_ends_ - now));
  if (life.count() <= 0) return answer.push_back(status(NotifyType::TicketNack, {}));
  content.number = ctx_.entropy.bytes(kNumberSize);
  content.expires = ctx_.tickets.wall() + life;
  content.own_spi = our_spi();
  content.vpn = vpn_->name;
  content.session = {local_id_, remote_id_, choice_, keys_->sk_d.clone(), ppk_};
  if (eap_method_) {
    const auto mark = eap_mark(ctx_, *eap_method_, local_id_, *remote_eap_id_);
    content.eap = EapProof{*eap_method_, *remote_eap_id_, mark.value_or(Bytes())};
    if (!mark || !still_holds(ctx_, *vpn_, content)) return answer.push_back(status(NotifyType::TicketNack, {}));
  }
  const Bytes ticket = ctx_.tickets.make(content, ctx_.entropy);
  if (ticket.size() > TicketMint::kMostTicket) return answer.push_back(status(NotifyType::TicketNack, {}));
  Writer data;
  data.u32(static_cast<std::uint32_t>(life.count()));
  data.bytes(ticket);
  answer.push_back(status(NotifyType::TicketLtOpaque, std::move(data).take()));
}

bool IkeSa::wants_ticket() const {
  return established() && mobike_initiator_ && vpn_->ike.session_resumption && !ticket_ && !ticket_refused_;
}

void IkeSa::learn_ticket(const Payloads& payloads, TimePoint now, Effects& out) {
  if (!vpn_->ike.session_resumption || !mobike_initiator_) return;
  if (find_notify(payloads, NotifyType::TicketNack) != nullptr) {
    ticket_refused_ = true;
    return log(out, Subsystem::Ike, 1, "the gateway gives no ticket");
  }
  const auto* given = find_notify(payloads, NotifyType::TicketLtOpaque);
  if (given == nullptr || given->data.size() <= kLtSize) return;
  Reader reader(given->data);
  const auto life = std::min<seconds>(seconds(*reader.u32()), std::chrono::hours(24 * 7));
  TimePoint expires = now + life;
  if (authentication_ends_) expires = std::min(expires, *authentication_ends_);
  if (reauth_at_) expires = std::min(expires, *reauth_at_);
  ticket_ = KeptTicket{
      to_bytes(reader.take_rest()), expires, remote_.address, {local_id_, remote_id_, choice_, keys_->sk_d.clone(), ppk_}, reauth_at_, {}};
  if (eap_method_) ticket_->eap = EapProof{*eap_method_, *local_eap_id_, {}};
}

// The peer is not there any more, and was not told to go: its ticket is for the next attempt.
void IkeSa::keep_ticket() {
  if (!established() || !ticket_) return;
  ctx_.kept_tickets.insert_or_assign(vpn_->name, std::move(*ticket_));
  ticket_.reset();
}

// The successor asks for one of its own: its SK_d is another.
void IkeSa::ask_for_ticket_later(TimePoint now) {
  if (wants_ticket()) delayed_.push_back({now + kAskAgain, {Job::Kind::Liveness, {}, 0, {}, {}, 0}});
}

// --- IKE_SESSION_RESUME ------------------------------------------------------------------------------------------------------

void IkeSa::send_resume(TimePoint now, Effects& out) {
  Payloads payloads;
  if (!init_->cookie.empty()) payloads.push_back(status(NotifyType::Cookie, init_->cookie));
  payloads.push_back(wire::NoncePayload{init_->nonce_i});
  payloads.push_back(status(NotifyType::TicketOpaque, resuming_->ticket));
  add_nat_detection(payloads);
  if (ctx_.config->global.fragment_size != 0) payloads.push_back(status(NotifyType::FragmentationSupported, {}));
  offer_redirect(payloads);
  window_.finish();
  next_request_id_ = 0;
  ++init_->rounds;
  send_request(ExchangeType::IkeSessionResume, payloads, ResumeRequest{}, now, out);
}

// RFC 5723 4.3.3: a ticket that is not taken is no loss
void IkeSa::resume_refused(const std::string& why, TimePoint now, Effects& out) {
  log(out, Subsystem::Ike, 1, "not resumed, beginning from the beginning: " + why);
  resuming_.reset();
  request_.reset();
  window_.finish();
  init_ = InitExchange{};
  init_->nonce_i = ctx_.entropy.bytes(kNonceSize);
  init_->group = first_group(vpn_->ike.proposals);
  local_id_ = local_identity(*vpn_, local_.address);
  send_init(now, out);
}

void IkeSa::on_resume_response(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  if (!requesting<ResumeRequest>() || message.header.message_id != 0) return;
  const Payloads& payloads = message.payloads;
  if (const auto violation = check_message(ExchangeType::IkeSessionResume, true, payloads)) {
    ctx_.count(model::Counter::Invalid, vpn_.get());
    return log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME response ignored: " + violation->reason);
  }
  if (const auto* cookie = find_notify(payloads, NotifyType::Cookie)) {
    const bool usable = !cookie->data.empty() && cookie->data.size() <= kMaxCookieSize && cookie->data != init_->cookie;
    if (!usable || init_->rounds >= kMaxRounds) return log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME response ignored: its cookie");
    init_->cookie = cookie->data;
    return send_resume(now, out);
  }
  if (find_notify(payloads, NotifyType::TicketNack) != nullptr) return resume_refused("the gateway does not take the ticket", now, out);
  if (const auto* error = find_error(payloads)) return resume_refused("the gateway answered " + wire::to_string(error->type), now, out);
  if (message.header.responder_spi == 0) return log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME response ignored: no responder SPI");
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  spi_r_ = message.header.responder_spi;
  choice_ = resuming_->session.choice;
  auto keys = derive_resumed_ike_keys(choice_, {init_->nonce_i, nonce->data, spi_i_, spi_r_}, resuming_->session.sk_d, ctx_.key_sink);
  if (!keys) {
    spi_r_ = 0;
    return resume_refused(keys.error().message, now, out);
  }
  keys_ = std::move(*keys);
  resuming_->session.sk_d.wipe();
  finish_first_exchange(payloads, datagram, now, out);
  log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME done: " + to_string(choice_));
  send_auth(now, out);
}

// A ticket is looked into before anything is kept: it costs the sender a ticket of ours, and us two HMACs.
void Core::on_resume_request(const wire::Message& message, const model::Datagram& datagram, bool proven, TimePoint now, Effects& out) {
  const auto* ticket = find_notify(message.payloads, NotifyType::TicketOpaque);
  std::optional<TicketContent> content;
  if (ticket != nullptr) content = ctx_.tickets.read(ticket->data);
  std::string why = "the ticket is none of ours, has expired, or was used";
  if (content) {
    const auto vpn = ctx_.config->vpns.find(content->vpn);
    const bool serves = vpn != ctx_.config->vpns.end() && vpn->second->ike.session_resumption && vpn->second->version == 2 &&
                        (!vpn->second->local_address || *vpn->second->local_address == datagram.local.address) &&
                        (!vpn->second->remote_address || *vpn->second->remote_address == datagram.remote.address);
    // what is configured now may not allow what was agreed on then
    const bool allowed = serves && choose_proposal(vpn->second->ike.proposals, {content->session.choice}, KeyExchangeUse::Negotiate);
    if (allowed && !still_holds(ctx_, *vpn->second, *content)) {
      content.reset();
      why = "its VPN would not have it prove itself so any more";
    } else if (!allowed) {
      content.reset();
      why = "its VPN is not what it was";
    }
  }
  if (!content) {
    log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME from " + datagram.remote.to_string() + " refused: " + why);
    return answer_init(datagram, message.header, NotifyType::TicketNack, {}, out);
  }
  auto born = IkeSa::as_responder(ctx_, datagram.local, datagram.remote, message.header.initiator_spi, now);
  Effects effects;
  if (const Status accepted = born->accept_resume(message, datagram, std::move(*content), now, effects); !accepted) {
    log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME from " + datagram.remote.to_string() + " refused: " + accepted.error().message);
    return answer_init(datagram, message.header, NotifyType::TicketNack, {}, out);
  }
  take_in_half_open(std::move(born), std::move(effects), message, datagram, proven, now, out);
}

Status IkeSa::accept_resume(const wire::Message& request, const model::Datagram& datagram, TicketContent content, TimePoint now,
                            Effects& out) {
  const auto* nonce = find_payload<wire::NoncePayload>(request.payloads);
  init_ = InitExchange{};
  init_->nonce_i = nonce->data;
  init_->nonce_r = ctx_.entropy.bytes(kNonceSize);
  init_->peer_message = datagram.payload;
  auto keys = derive_resumed_ike_keys(content.session.choice, {init_->nonce_i, init_->nonce_r, spi_i_, spi_r_}, content.session.sk_d,
                                      ctx_.key_sink);
  if (!keys) return fail(keys.error());
  keys_ = std::move(*keys);
  choice_ = content.session.choice;
  content.session.sk_d.wipe();
  resumed_ = std::move(content);
  set_phase(IkeSaPhase::Connecting, out);
  detect_nat(request.payloads, datagram.local, datagram.remote, 0, out);
  redirects_ = follows_redirects(request.payloads);
  Payloads payloads = {wire::NoncePayload{init_->nonce_r}};
  add_nat_detection(payloads);
  fragmentation_ = ctx_.config->global.fragment_size != 0 && find_notify(request.payloads, NotifyType::FragmentationSupported) != nullptr;
  if (fragmentation_) payloads.push_back(status(NotifyType::FragmentationSupported, {}));
  init_->our_message = wire::encode_message(header(ExchangeType::IkeSessionResume, true, 0), payloads);
  expected_request_id_ = 1;
  last_heard_ = last_sent_ = now;
  log(out, Subsystem::Ike, 1, "IKE_SESSION_RESUME from " + remote_.to_string() + " answered: " + to_string(choice_));
  transmit(std::vector<Bytes>{init_->our_message}, out);
  return {};
}

// --- IKE_AUTH of a resumed session ---------------------------------------------------------------------------------------------

// RFC 5723 5.1: AUTH = prf(SK_px, octets), where the octets are as ever and SK_px is the sender's
Bytes IkeSa::resumed_auth(bool ours) const {
  const bool initiators = ours == (role_ == Role::Initiator);
  const Secret& key = initiators ? keys_->sk_pi : keys_->sk_pr;
  return to_bytes(keys_->prf(key.view(), {signed_octets(ours)}).view());
}

bool IkeSa::proves_resumption(const Payloads& payloads) const {
  const auto* auth = find_payload<wire::AuthPayload>(payloads);
  return auth != nullptr && auth->method == wire::AuthMethod::SharedKeyMic && constant_time_equal(auth->data, resumed_auth(false));
}

void IkeSa::on_resumed_auth_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto refuse = [&](const std::string& reason) {
    out.emplace_back(Explained{auth_refusal(Cause::Authentication, reason, now)});
    refuse_authentication(header, reason, now, out);
  };
  const auto* demanded = find_id(payloads, PayloadType::IdResponder);
  local_id_ = resumed_->session.local_id;
  const auto vpn = ctx_.config->vpns.find(resumed_->vpn);
  if (vpn == ctx_.config->vpns.end() || !vpn->second->ike.session_resumption) return refuse("the VPN of its ticket is gone");
  if (!still_holds(ctx_, *vpn->second, *resumed_)) return refuse("its VPN would not have it prove itself as its ticket says any more");
  if (remote_id_ != resumed_->session.remote_id)
    return refuse("it says it is " + remote_id_.to_string() + ", and its ticket says " + resumed_->session.remote_id.to_string());
  if (demanded != nullptr && Identity{demanded->id_type, demanded->data} != local_id_)
    return refuse("it asks for another than its ticket is of");
  if (!proves_resumption(payloads)) return refuse("it does not know the keys of its ticket");
  // whoever got the ticket elsewhere has come this far, and no further; twice, it could only be its owner
  if (ctx_.tickets.is_spent(*resumed_)) return refuse("its ticket was used meanwhile");
  ctx_.tickets.spend(*resumed_);
  auth_.emplace();
  auth_->vpn = vpn->second;
  auth_->payloads = payloads;
  auth_->request = header;
  FollowUp note{FollowUp::Kind::Resumed, vpn->second->name, {}, id_, 0, {}};
  note.spi = resumed_->own_spi;
  ctx_.follow_ups.push_back(std::move(note));
  if (resumed_->eap) {
    eap_method_ = resumed_->eap->method;
    remote_eap_id_ = resumed_->eap->id;
  }
  log(out, Subsystem::Ike, 1,
      "the peer resumes its session as " + remote_id_.to_string() +
          (resumed_->eap ? ", EAP identity " + remote_eap_id_->to_string() : std::string()));
  answer_auth_request({{wire::AuthMethod::SharedKeyMic, resumed_auth(true)}, nullptr}, now, out);
}

void IkeSa::on_resumed_auth_response(TimePoint now, Effects& out) {
  const auto refuse = [&](const std::string& reason) { refuse_responder(connect_failure(Cause::Authentication, reason, now), now, out); };
  if (remote_id_ != resuming_->session.remote_id)
    return refuse("it says it is " + remote_id_.to_string() + ", and it was " + resuming_->session.remote_id.to_string());
  if (!proves_resumption(auth_->payloads)) return refuse("it does not know the keys of our ticket");
  log(out, Subsystem::Ike, 1, "session resumed");
  if (resuming_->eap) {
    eap_method_ = resuming_->eap->method;
    local_eap_id_ = resuming_->eap->id;
  }
  const std::optional<TimePoint> reauth_at = resuming_->reauth_at;
  accept_responder(now, out);
  if (reauth_at && (!reauth_at_ || *reauth_at < *reauth_at_)) reauth_at_ = reauth_at;
}

// An authentication lasts as long as it was good for when it was made, however often it is resumed.
void IkeSa::bound_authentication(TimePoint now) {
  if (!ctx_.tickets.any()) return;
  const seconds wall = ctx_.tickets.wall();
  if (vpn_->ike.reauth_time.count() != 0 && role_ == Role::Responder) authenticated_until_ = wall + vpn_->ike.reauth_time;
  if (!resumed_ || resumed_->authenticated.count() == 0) return;
  authenticated_until_ = std::min(authenticated_until_.value_or(resumed_->authenticated), resumed_->authenticated);
  const TimePoint ends = now + std::max(*authenticated_until_ - wall, seconds(1));
  authentication_ends_ = std::min(authentication_ends_.value_or(ends), ends);
  dies_at_ = std::min(dies_at_.value_or(ends), ends);
}

}  // namespace svti::sa
