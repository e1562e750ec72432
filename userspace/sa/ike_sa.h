// SPDX-License-Identifier: Apache-2.0
// One IKE SA with its CHILD SAs (RFC 7296). Pure: a message or a deadline goes in together with `now`, effects come out.
//
//   Created ─► Connecting ─► Established ─► Rekeying ─► Rekeyed ─► (dead)
//                  └──────────────┴────► Deleting ─► (dead)
//
// The files: ike_sa.cpp (messages, timers, state), ike_sa_init.cpp, ike_auth.cpp, create_child_sa.cpp, informational.cpp (one exchange
// each, both roles), authentication.cpp, hash_and_url.cpp, eap_auth.cpp and eap_radius.cpp (who the ends are, for IKE_AUTH),
// virtual_address.cpp (the Configuration payload), child_sa.cpp (CHILD SAs and the kernel), endpoints.cpp (where the two ends are),
// mobike.cpp (how they move on purpose), reauthentication.cpp, rounds.cpp (more rounds of authentication than one), ppk.cpp,
// intermediate.cpp and followup_ke.cpp (more key exchanges than one), crash_detection.cpp (when one end has lost it), redirect.cpp,
// resumption.cpp.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "crypto/key_exchange.h"
#include "crypto/signature.h"
#include "crypto/trust.h"
#include "model/state.h"
#include "sa/child_sa.h"
#include "sa/context.h"
#include "sa/eap_auth.h"
#include "sa/effects.h"
#include "sa/followup_ke.h"
#include "sa/fragments.h"
#include "sa/intermediate.h"
#include "sa/keys.h"
#include "sa/message_rules.h"
#include "sa/request_window.h"
#include "sa/virtual_address.h"
#include "wire/configuration.h"
#include "wire/message.h"

namespace svti::sa {

using Payloads = std::vector<wire::Payload>;

// the client says so in its IKE_SA_INIT request
bool follows_redirects(const Payloads& init_request);

// SUPPORTED_AUTH_METHODS (RFC 9593): how a peer may authenticate itself; nothing when there is nothing to say
std::optional<wire::NotifyPayload> auth_announcements(bool shared_keys, bool certificates);

class IkeSa {
 public:
  // `local` and `remote` are where the first datagram goes from and to, or came to and from
  static std::unique_ptr<IkeSa> as_initiator(Context& context, VpnPtr vpn, const Endpoint& local, const Endpoint& remote, TimePoint now);
  static std::unique_ptr<IkeSa> as_responder(Context& context, const Endpoint& local, const Endpoint& remote, wire::IkeSpi peer_spi,
                                             TimePoint now);
  IkeSa(const IkeSa&) = delete;
  IkeSa& operator=(const IkeSa&) = delete;
  ~IkeSa();

  // Initiator: sends IKE_SA_INIT. `policies` are set up in order, the first in IKE_AUTH. `attempt` counts from 1 (keying-tries).
  void start(std::vector<std::string> policies, std::uint32_t attempt, TimePoint now, Effects& out);
  // Responder: `request` was checked, and `choice` is out of it. `proven`: a cookie has shown that the peer is where it says. Sends the
  // response; an error means nothing was sent.
  Status accept_init(const wire::Message& request, const model::Datagram& datagram, const wire::Proposal& choice, bool proven,
                     TimePoint now, Effects& out);
  // the same for IKE_SESSION_RESUME; `content` is that of the ticket in it
  Status accept_resume(const wire::Message& request, const model::Datagram& datagram, TicketContent content, TimePoint now, Effects& out);
  // before start(): it begins with IKE_SESSION_RESUME
  void resume_with(KeptTicket ticket) { resuming_ = std::move(ticket); }

  void receive(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  // an IKE_SA_INIT request seen before: the response again
  bool answer_again(const model::Datagram& datagram, Effects& out) const;
  std::optional<TimePoint> next_deadline() const;
  void on_deadline(TimePoint now, Effects& out);

  void want_child(const std::string& policy, TimePoint now, Effects& out);  // no-op when it is there or on its way
  void rekey(TimePoint now, Effects& out);
  void rekey_child(std::uint32_t child, TimePoint now, Effects& out);
  void delete_child(std::uint32_t child, const std::string& reason, TimePoint now, Effects& out);
  // the same for one that reached the end of its life
  void end_child(std::uint32_t child, const std::string& reason, TimePoint now, Effects& out);
  // Tells the peer and waits for its answer; what is not established yet is dropped at once.
  void delete_ike(const std::string& reason, TimePoint now, Effects& out);
  // Gone at once, the peer not told; inbound SAs of the CHILD SAs linger so that packets under way still arrive.
  void destroy(const std::string& reason, TimePoint now, Effects& out);
  // the answers to Sign and VerifyCertificate; one that nobody waits for any more is ignored
  void on_signature(std::uint64_t number, Result<crypto::Signature> signature, TimePoint now, Effects& out);
  void on_verified(std::uint64_t number, crypto::Verification chain, TimePoint now, Effects& out);
  void on_stapled(std::uint64_t number, Bytes response, TimePoint now, Effects& out);
  void on_looked_up(std::uint64_t number, Result<std::vector<Bytes>> certificates, TimePoint now, Effects& out);
  // RFC 5176: the RADIUS server has changed its mind about how long the peer may stay
  void limit_session(seconds from_now, TimePoint now);
  void on_radius_answer(std::uint64_t number, radius::EapAnswer answer, TimePoint now, Effects& out);
  // what EAP awaited from elsewhere, see await_eap_step()
  void on_eap_step(std::uint64_t number, eap::Step step, TimePoint now, Effects& out);
  // The kernel says that ESP of this inbound SA now comes from elsewhere: the peer's NAT has another mapping (RFC 7296 2.23).
  void mapping_moved(const Endpoint& from, TimePoint now, Effects& out);
  // an address of ours, or a route, came or went (RFC 4555)
  void paths_changed(TimePoint now, Effects& out);
  // A new IKE SA with a new authentication takes the place of this one, before or after it goes (make-before-break).
  void reauthenticate(TimePoint now, Effects& out);
  // Deleted, and when the peer knows that it is, begun anew with these policies.
  void restart(std::vector<std::string> policies, TimePoint now, Effects& out);
  // Sends the client to another gateway (RFC 5685 5). An error says why it cannot be.
  Status redirect(const wire::GatewayIdentity& gateway, TimePoint now, Effects& out);
  // before start(): as a command has it; what takes its place is begun so too
  void set_between(const Between& between) { between_ = between; }
  // before start(): this gateway has sent us to the one that it is to begin with
  void set_redirected_from(const IpAddress& gateway) { redirected_from_ = gateway; }
  // the IKE SA that this one is to replace by reauthentication or redirection, 0: none
  std::uint32_t replaces() const { return replaces_; }
  void set_replaces(std::uint32_t id) { replaces_ = id; }
  // the kernel could not install, or gave up, an SA of this CHILD SA
  void child_lost(std::uint32_t child, const std::string& reason, TimePoint now, Effects& out);

  std::uint32_t id() const { return id_; }
  bool dead() const { return dead_; }
  model::IkeSaPhase phase() const { return phase_; }
  bool initiated() const { return role_ == Role::Initiator; }
  wire::IkeSpi initiator_spi() const { return spi_i_; }
  // our IKE_SA_INIT has no answer yet: the peer has no IKE SA that could be missed
  bool awaits_init() const { return requesting<InitRequest>() || requesting<ResumeRequest>(); }
  // the CHILD SA of this policy is there, and not on its way out
  bool serves(const std::string& policy) const;
  // the policies of the CHILD SAs that are in use
  std::vector<std::string> served() const;
  // Policies that are still to be set up: on another IKE SA from now on.
  std::vector<std::string> take_wanted();
  // Each end has initiated one of these before it had the other: both began at once.
  bool crosses(const IkeSa& other) const;
  // Another IKE SA serves the same policies: nothing is sent on the CHILD SAs of this one any more, and what the peer still sends is
  // received until it has answered the Delete.
  void delete_duplicate(const std::string& reason, TimePoint now, Effects& out);
  // Deleted in that way at that time, when it is still there.
  void retire(TimePoint at, std::string reason);
  bool established() const { return phase_ == model::IkeSaPhase::Established || phase_ == model::IkeSaPhase::Rekeying; }
  // made by the peer's rekey, and the peer has not shown yet that this is the IKE SA that stays (RFC 7296 2.8.2)
  bool awaits_hand_over() const { return predecessor_ != 0 && ctx_.find_ike(predecessor_) != nullptr; }
  bool half_open() const { return !dead_ && role_ == Role::Responder && phase_ == model::IkeSaPhase::Connecting; }
  // over, and kept only to give its last answer again to a peer that missed it
  bool finished() const { return phase_ == model::IkeSaPhase::Deleting && give_up_at_.has_value(); }
  TimePoint created_at() const { return created_at_; }
  TimePoint established_at() const { return established_at_; }
  wire::IkeSpi our_spi() const { return role_ == Role::Initiator ? spi_i_ : spi_r_; }
  wire::IkeSpi peer_spi() const { return role_ == Role::Initiator ? spi_r_ : spi_i_; }
  const Endpoint& local() const { return local_; }
  const Endpoint& remote() const { return remote_; }
  const VpnPtr& vpn() const { return vpn_; }
  const model::Identity& local_id() const { return local_id_; }
  const model::Identity& remote_id() const { return remote_id_; }
  // who the peer is to us, for all that is one peer's: its EAP identity if it has one, which is what it has proven
  const model::Identity& peer_identity() const;
  const std::vector<std::unique_ptr<ChildSa>>& children() const { return children_; }
  model::IkeSaState state(TimePoint now) const;

 private:
  enum class Role : std::uint8_t { Initiator, Responder };

  // What is waiting to be requested.
  struct Job {
    enum class Kind : std::uint8_t {
      CreateChild,
      RekeyChild,
      DeleteChild,
      RefuseChild,
      RekeyIke,
      DeleteIke,
      AuthenticationFailed,
      Liveness,
      UpdateAddresses,
      AnnounceAddresses,
      Routability,
      Redirect
    };
    Kind kind{};
    std::string policy;                  // CreateChild
    std::uint32_t child = 0;             // RekeyChild, DeleteChild
    model::SaId refused = {};            // RefuseChild: our inbound half of what the peer has made of our offer, and we cannot take
    wire::KeGroup group{};               // CreateChild, RekeyChild, RekeyIke: asked for by INVALID_KE_PAYLOAD; None: our first
    std::uint32_t rounds = 0;            // how often it was begun
    wire::GatewayIdentity gateway = {};  // Redirect
  };
  struct DelayedJob {
    TimePoint at;
    Job job;
  };

  // What our half of a CHILD SA negotiation remembers until the answer.
  struct ChildOffer {
    Job job;
    std::string policy;
    std::uint32_t rekeys = 0;  // unique id of the CHILD SA it replaces, 0: none
    std::uint32_t spi = 0;     // inbound
    std::vector<wire::Proposal> proposals;
    Selectors local, remote;
    bool transport = false;
    Bytes nonce;                              // empty in IKE_AUTH
    std::unique_ptr<crypto::KeyExchange> ke;  // null without PFS
    bool crossed = false;                     // the peer made one of the same policy meanwhile
    // of the CHILD SA it replaces, when that one was removed before the answer came: see ChildSa
    std::uint32_t replaced_by = 0;
    Bytes replacement_nonce;
    // SPIs that the peer deleted meanwhile and that we do not know: one may be that of the CHILD SA which the answer will bring
    std::vector<std::uint32_t> deleted;
    std::unique_ptr<FollowupOffer> more;  // IKE_FOLLOWUP_KE under way
  };
  struct IkeOffer {
    Job job;
    wire::IkeSpi spi = 0;
    std::vector<wire::Proposal> proposals;
    Bytes nonce;
    std::unique_ptr<crypto::KeyExchange> ke;
    std::unique_ptr<FollowupOffer> more;  // IKE_FOLLOWUP_KE under way
  };

  // The request under way.
  struct InitRequest {};
  struct IntermediateRequest {};
  struct ResumeRequest {};
  struct AuthRequest {
    std::optional<ChildOffer> child;
  };
  struct CreateChildRequest {
    ChildOffer offer;
  };
  struct RekeyIkeRequest {
    IkeOffer offer;
  };
  struct DeleteChildRequest {
    std::uint32_t child = 0;
  };
  struct DeleteIkeRequest {};
  struct AuthenticationFailedRequest {};
  struct LivenessRequest {};
  struct UpdateAddressesRequest {
    Bytes cookie2;
    Endpoint local, remote;  // between which it asks to go on
  };
  struct AnnounceAddressesRequest {};
  struct RoutabilityRequest {
    Bytes cookie2;
  };
  using Request = std::variant<InitRequest, ResumeRequest, IntermediateRequest, AuthRequest, CreateChildRequest, RekeyIkeRequest,
                               DeleteChildRequest, DeleteIkeRequest, AuthenticationFailedRequest, LivenessRequest, UpdateAddressesRequest,
                               AnnounceAddressesRequest, RoutabilityRequest>;

  // A PPK in the keys of this IKE SA, in IKE_AUTH (RFC 8784).
  struct PpkUse {
    Bytes id;
    IkeSecrets without;  // what the keys are when the peer has it not
    Bytes no_ppk_auth;   // initiator: its AUTH without it, unless the PPK is required
  };

  // IKE_SA_INIT, remembered until IKE_AUTH is through (RFC 7296 2.15 signs both messages)
  struct InitExchange {
    Bytes our_message, peer_message;
    Bytes nonce_i, nonce_r;
    std::unique_ptr<crypto::KeyExchange> ke;
    wire::KeGroup group{};
    Bytes cookie;
    std::uint32_t rounds = 0;
    std::vector<crypto::SignatureHash> peer_hashes;  // SIGNATURE_HASH_ALGORITHMS, RFC 7427 4; empty: it does not know RFC 7427
    std::vector<Bytes> peer_authorities;             // CERTREQ: hashes of those it trusts
    bool peer_wants_ocsp = false;                    // CERTREQ of encoding 14, RFC 4806
    bool peer_looks_up = false;                      // HTTP_CERT_LOOKUP_SUPPORTED: certificates may go by hash and URL
    std::optional<Bytes> staple;                     // for it, once it was asked for; empty: there is none
    std::vector<wire::AuthAnnouncement> peer_takes;  // SUPPORTED_AUTH_METHODS, RFC 9593; empty: it has not said
    bool peer_accepts_childless = false;             // CHILDLESS_IKEV2_SUPPORTED, RFC 6023
    bool several_rounds = false;                     // the peer knows RFC 4739
    bool use_ppk = false;                            // both have said USE_PPK (RFC 8784)
    std::optional<PpkUse> ppk;                       // one is mixed into the keys
    Intermediate intermediate;
  };

  // IKE_AUTH under way: what is kept while an answer from outside is awaited.
  struct AuthExchange {
    AuthExchange() {}  // written out: clang 14 does not see before the end of IkeSa that there is one
    VpnPtr vpn;
    Payloads payloads;                       // of the message that the peer authenticates itself with
    wire::Header request;                    // responder: to be answered
    std::optional<AuthRequest> sent;         // initiator: what was asked for, once the answer is there
    model::LocalCertificatePtr certificate;  // ours, when it is one that proves who we are
    std::vector<CertificateUrl> looked_up;   // what of the peer's certificates is being fetched, or was
    std::uint64_t awaited = 0;               // number of the question asked; 0: none
    TimePoint give_up_at{};                  // with `awaited`
  };
  // More than one round of authentication (RFC 4739), until the IKE SA is established.
  struct Rounds {
    VpnPtr whole;                      // as it is configured
    std::size_t ours = 0, theirs = 0;  // rounds in which each end has proven who it is
    bool follows = false;              // with its AUTH of this round the peer has said ANOTHER_AUTH_FOLLOWS
    bool awaits_peer = false;          // responder: the peer begins the next round
    Payloads opening;                  // responder: the peer's first request, which is answered after the last round
  };
  // our half of it: AUTH, and the certificate that goes with it
  struct Proof {
    wire::AuthPayload auth;
    model::LocalCertificatePtr certificate;  // null: none
  };

  // the peer's rekey of this IKE SA, seen while ours may be under way
  struct PeerRekey {
    std::uint32_t successor = 0;
    Bytes lowest_nonce;
  };

  IkeSa(Context& context, Role role, VpnPtr vpn, const Endpoint& local, const Endpoint& remote, TimePoint now);

  // ike_sa.cpp
  void log(Effects& out, Subsystem subsystem, LogLevel level, std::string text) const;
  void notice(Effects& out, Notice::Kind kind, std::string reason = {}) const;
  // Explanations: `why` with all that is known of this IKE SA; the rest is for the caller to fill in
  model::Explanation told(wire::ExchangeType exchange, bool initiator, model::Explanation why, TimePoint now) const;
  model::Explanation connect_failure(model::Cause cause, std::string reason,
                                     TimePoint now) const;                                       // as initiator, before it is established
  model::Explanation auth_refusal(model::Cause cause, std::string reason, TimePoint now) const;  // as responder
  model::Explanation offer_failure(const ChildOffer& offer, model::Cause cause, std::string reason, TimePoint now) const;
  model::Explanation refused_offer(const ChildOffer& offer, const wire::NotifyPayload& error, TimePoint now) const;
  model::Explanation rekey_failure(model::Cause cause, std::string reason, bool initiator, TimePoint now) const;
  model::Explanation no_answer(TimePoint now) const;
  void explain_success(bool rekeyed, TimePoint now, Effects& out) const;
  void set_phase(model::IkeSaPhase phase, Effects& out);
  void die(Effects& out);
  wire::Header header(wire::ExchangeType exchange, bool response, std::uint32_t message_id) const;
  crypto::SkCipher& outbound_cipher();
  crypto::SkCipher& inbound_cipher();
  Result<std::vector<Bytes>> protect(wire::ExchangeType exchange, bool response, std::uint32_t message_id, const Payloads& payloads);
  std::vector<model::Datagram> datagrams(std::vector<Bytes> messages) const;
  void transmit(const std::vector<Bytes>& messages, Effects& out) const;
  void count_message(wire::ExchangeType exchange, bool response, bool inbound);
  void send_request(wire::ExchangeType exchange, const Payloads& payloads, Request request, TimePoint now, Effects& out);
  void send_response(const wire::Header& request, const Payloads& payloads, Effects& out);
  void refuse_request(const wire::Header& request, wire::NotifyType type, Bytes data, Effects& out);
  void refuse_as_malformed(const wire::Header& request, const std::string& reason, TimePoint now, Effects& out);
  bool expects(const wire::Header& header) const;
  bool accepts_request(wire::ExchangeType exchange) const;
  void abandon_request();
  void take_over_from_predecessor(const Payloads& payloads, TimePoint now, Effects& out);
  void on_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_response(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_unreachable(TimePoint now, Effects& out);
  void close_as_dead(const std::string& reason, TimePoint now, Effects& out);
  void enqueue(Job job, TimePoint now, Effects& out);
  void retry_later(Job job, TimePoint now);
  bool queued(Job::Kind kind, std::uint32_t child = 0) const;
  template <typename R>
  bool requesting() const {
    return request_ && std::holds_alternative<R>(*request_);
  }
  bool being_handed_over() const;
  bool may_begin(const Job& job) const;
  void pump(TimePoint now, Effects& out);
  void begin(Job job, TimePoint now, Effects& out);
  Payloads liveness_payloads() const;
  void begin_anew();
  void start_later(std::string policy) const;

  // ike_sa_init.cpp
  void send_init(TimePoint now, Effects& out);
  void on_init_response(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  void finish_first_exchange(const Payloads& response, const model::Datagram& datagram, TimePoint now, Effects& out);
  bool forced_encapsulation() const;
  void add_nat_detection(Payloads& payloads) const;
  void detect_nat(const Payloads& payloads, const Endpoint& local, const Endpoint& remote, wire::IkeSpi spi_r, Effects& out);
  void fail_connect(model::Explanation why, TimePoint now, Effects& out, bool retry);

  // intermediate.cpp
  void go_on_to_auth(TimePoint now, Effects& out);
  void on_intermediate_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_intermediate_response(const Payloads& payloads, TimePoint now, Effects& out);
  void sign_intermediate(const wire::Header& header, wire::PayloadType first_inner, ByteView plaintext);
  Status update_keys(const Secret& shared_secret);

  // authentication.cpp
  // CERT encodings, RFC 7296 3.6 and RFC 4806 2.1
  static constexpr std::uint8_t kX509Signature = 4, kCrl = 7, kHashAndUrl = 12, kHashAndUrlOfBundle = 13, kOcspContent = 14;
  void remember_peer_methods(const Payloads& payloads);
  static void add_auth_methods(Payloads& payloads, const VpnIndex::Certificates& certificates);
  // auth_announcements.cpp
  void learn_announcements(const Payloads& payloads, Effects& out);
  std::string announced_instead() const;
  std::vector<model::LocalCertificatePtr> announced_certificates(const model::Vpn& vpn) const;
  static wire::CertReqPayload certificate_request(const std::vector<Bytes>& authorities);
  void add_certificates(Payloads& payloads, const model::LocalCertificate& certificate) const;
  void sign(TimePoint now, Effects& out);
  // hash_and_url.cpp
  wire::CertPayload certificate_payload(const Bytes& der) const;
  // True: the peer's certificates, or some of them, are being fetched, or it is refused.
  bool look_up_certificates(TimePoint now, Effects& out);
  void refuse_lookup(std::string reason, model::Advice advice, TimePoint now, Effects& out);
  Ticket await_answer(TimePoint now);
  void on_answer_overdue(TimePoint now, Effects& out);
  using FillIn = std::function<void(model::Explanation&)>;
  void prove_ourselves(TimePoint now, Effects& out);
  void proven(const Proof& proof, TimePoint now, Effects& out);
  void cannot_prove(model::Cause cause, std::string reason, const FillIn& fill_in, TimePoint now, Effects& out);
  void check_peer(TimePoint now, Effects& out);
  void check_shared_key(const wire::AuthPayload& auth, TimePoint now, Effects& out);
  void check_signature(const wire::AuthPayload& auth, TimePoint now, Effects& out);
  void peer_accepted(TimePoint now, Effects& out);
  void refuse_peer(model::Cause cause, std::string reason, const FillIn& fill_in, TimePoint now, Effects& out);
  wire::IdPayload id_payload(bool ours) const;
  const Secret& sk_p(bool ours, bool without_ppk) const;
  Bytes auth_octets(const model::PresharedKey& key, bool ours, bool without_ppk = false) const;  // AUTH of a shared key
  Bytes signed_octets(bool ours, bool without_ppk = false) const;                                // what a signature in AUTH is over

  // rounds.cpp
  bool begin_rounds(const VpnPtr& vpn, TimePoint now, Effects& out);
  VpnPtr vpn_of_round() const;
  bool proof_due(bool ours) const;
  bool another_follows(bool ours) const;
  bool last_round() const { return !another_follows(true) && !another_follows(false); }
  bool in_further_round() const { return rounds_ && rounds_->ours + rounds_->theirs > 0; }
  bool awaits_round() const { return rounds_ && rounds_->awaits_peer; }
  void add_another_auth(Payloads& payloads) const;
  void learn_another_auth(const Payloads& payloads);
  bool peer_keeps_to_rounds(TimePoint now, Effects& out);
  void close_round();
  void end_round(TimePoint now, Effects& out);
  void send_round_request(const Proof& proof, TimePoint now, Effects& out);
  void answer_round(const Proof& proof, TimePoint now, Effects& out);
  void on_round_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);

  // ppk.cpp
  bool offers_ppk() const;
  std::optional<model::Explanation> ppk_hindrance(bool peer_uses_ppk, TimePoint now) const;
  void begin_ppk();
  bool lacks_no_ppk_auth() const;
  void advise_same_ppk(model::Explanation& why) const;
  void add_ppk(Payloads& payloads) const;
  bool settle_ppk(const Payloads& answer, TimePoint now, Effects& out);
  bool take_ppk(Payloads& payloads, TimePoint now, Effects& out);

  // eap_auth.cpp
  AuthRound auth_round() const;  // of the IKE_AUTH message that may come next
  bool eap_awaits_peer() const;  // responder: its next request goes on with EAP
  void ask_for_eap(TimePoint now, Effects& out);
  void on_eap_response(AuthRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void on_eap_begun(const Payloads& payloads, TimePoint now, Effects& out);
  void serve_eap(TimePoint now, Effects& out);
  void answer_with_eap(const Proof& proof, TimePoint now, Effects& out);
  void on_eap_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void refuse_eap(const eap::Step& step, TimePoint now, Effects& out);
  model::Explanation auth_abandoned(std::string reason, TimePoint now) const;
  void on_auth_broken_off(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void begin_eap_method(TimePoint now, Effects& out);
  void take_eap_step(eap::Step step, TimePoint now, Effects& out);
  // The next step comes by on_eap_step() with this ticket, of what the caller asks `whom` for by an effect. Until then, or `longest` is
  // over, nothing of the peer goes on; its retransmissions are answered once the step is there.
  Ticket await_eap_step(std::string whom, Duration longest, TimePoint now);
  bool stop_awaiting_eap_step(std::uint64_t number);  // false: the answer to that question is not awaited
  void on_eap_step_overdue(TimePoint now, Effects& out);
  // eap_tls.cpp
  bool begin_eap_tls_peer(const model::Identity& user, TimePoint now, Effects& out);
  bool begin_eap_tls_server(Bytes identity, TimePoint now, Effects& out);
  void ask_for_eap_answer(eap::Question question, TimePoint now, Effects& out);
  std::optional<crypto::ChainFailure> eap_name_refusal(const crypto::CertificateFacts& facts);
  void on_eap_signature(std::uint64_t number, Result<crypto::Signature> signature, TimePoint now, Effects& out);
  void on_eap_verified(std::uint64_t number, crypto::Verification chain, TimePoint now, Effects& out);
  void on_eap_refused(crypto::ChainFailure why, TimePoint now, Effects& out);
  void answer_eap(eap::Answer answer, TimePoint now, Effects& out);
  void eap_tls_succeeded(Effects& out);
  void explain_eap_tls(const model::Vpn& vpn, const std::string& user, model::Explanation& why) const;
  Bytes eap_user() const;  // responder: the peer's EAP identity; empty: not known
  Bytes eap_auth_octets(bool ours, bool without_ppk = false) const;
  bool proves_eap(const Payloads& payloads) const;
  std::string unlike_key() const;
  void explain_eap(model::Cause cause, const std::string& user, model::Explanation& why) const;

  // eap_radius.cpp
  void begin_passing_on(TimePoint now, Effects& out);
  void pass_on(const Bytes& octets, TimePoint now, Effects& out);
  void ask_radius(Bytes packet, TimePoint now, Effects& out);
  void explain_radius(const std::string& user, model::Explanation& why) const;
  void bound_session(TimePoint now);

  // ike_auth.cpp
  void send_auth(TimePoint now, Effects& out);
  void send_auth_request(const Proof& proof, TimePoint now, Effects& out);
  void accept_responder(TimePoint now, Effects& out);
  void answer_auth_request(const Proof& proof, TimePoint now, Effects& out);
  void on_auth_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_auth_response(AuthRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void begin_lifetime(TimePoint now);  // its rekey and its end, as the configuration says
  void become_established(TimePoint now, Effects& out);
  void refuse_responder(model::Explanation why, TimePoint now, Effects& out);
  void refuse_authentication(const wire::Header& header, const std::string& reason, TimePoint now, Effects& out,
                             wire::NotifyType type = wire::NotifyType::AuthenticationFailed);
  bool begins_childless() const;

  // create_child_sa.cpp
  std::optional<ChildOffer> make_offer(const Job& job, bool in_auth, Effects& out);
  Payloads offer_payloads(const ChildOffer& offer, bool in_auth) const;
  void begin_create_child(const Job& job, TimePoint now, Effects& out);
  void begin_rekey_ike(const Job& job, TimePoint now, Effects& out);
  void on_create_child_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_new_child_request(const wire::Header& header, const Payloads& payloads, ChildSa* rekeyed, TimePoint now, Effects& out);
  void on_rekey_ike_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_create_child_response(CreateChildRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void complete_child(ChildOffer& offer, const Payloads& payloads, const Secret& shared, std::span<const Secret> additional, TimePoint now,
                      Effects& out);
  void on_rekey_ike_response(RekeyIkeRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void rekey_ike_failed(IkeOffer& offer, model::Cause cause, const std::string& reason, bool proposal, TimePoint now, Effects& out);
  void complete_rekey_ike(IkeOffer& offer, const Payloads& payloads, const Secret& shared, std::span<const Secret> additional,
                          TimePoint now, Effects& out);
  IkeSa* complete_peer_rekey_ike(wire::Proposal choice, wire::IkeSpi spi_i, wire::IkeSpi spi_r, IkeKeys keys, Bytes lowest_nonce,
                                 TimePoint now, Effects& out);
  void offer_failed(const ChildOffer& offer, model::Explanation why, TimePoint now, Effects& out);
  void refuse_made(const ChildOffer& offer);
  bool try_other_group(const Job& job, const std::vector<wire::Proposal>& offered, const wire::NotifyPayload& notify, TimePoint now,
                       Effects& out);
  IkeSa* make_successor(Role role, wire::IkeSpi spi_i, wire::IkeSpi spi_r, wire::Proposal choice, IkeKeys keys, TimePoint now,
                        Effects& out);
  void hand_over(IkeSa& successor, TimePoint now, Effects& out);
  void lose_collision(TimePoint now, Effects& out);

  // followup_ke.cpp
  struct PeerFollowup {
    FollowupState state;
    TimePoint expires;
    Bytes nonce_i, nonce_r;
    bool ike = false;  // a rekey of this IKE SA
    // of a CHILD SA
    std::string policy;
    wire::Proposal choice;
    Selectors local, remote;
    std::uint32_t spi_in = 0;
    std::uint32_t rekeys = 0;  // unique id of the one it replaces, 0: none
    // of this IKE SA, with `choice`
    wire::IkeSpi spi_i = 0, spi_r = 0;
  };
  void begin_followup(ChildOffer offer, const Payloads& answer, Secret first, TimePoint now, Effects& out);
  void begin_followup(IkeOffer offer, const Payloads& answer, Secret first, TimePoint now, Effects& out);
  void send_followup(ChildOffer offer, TimePoint now, Effects& out);
  void send_followup(IkeOffer offer, TimePoint now, Effects& out);
  Result<bool> take_followup(FollowupOffer& more, const Payloads& payloads) const;
  void on_followup_response(ChildOffer& offer, const Payloads& payloads, TimePoint now, Effects& out);
  void on_followup_response(IkeOffer& offer, const Payloads& payloads, TimePoint now, Effects& out);
  wire::NotifyPayload await_followup(PeerFollowup pending, Secret first, std::vector<wire::KeGroup> groups, TimePoint now);
  void on_followup_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void finish_followup(const wire::Header& header, const wire::KePayload& answer, TimePoint now, Effects& out);
  void drop_peer_followup();
  void on_followup_overdue(TimePoint now, Effects& out);
  bool peer_followup_wins(const Bytes& our_lowest, std::uint32_t rekeys) const;
  bool peer_followup_of_ike() const { return peer_followup_ && peer_followup_->ike; }

  // informational.cpp
  void on_informational_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_notification(const wire::NotifyPayload& notify, TimePoint now, Effects& out);
  void on_delete_payload(const wire::DeletePayload& payload, wire::DeletePayload& answer, TimePoint now, Effects& out);
  void close_children(const std::string& reason, bool peer_dead, TimePoint now, Effects& out);

  // virtual_address.cpp
  Selectors local_selectors(const model::SecurityPolicy& policy) const;
  Selectors remote_selectors(const model::SecurityPolicy& policy) const;
  void request_addresses(Payloads& payloads);
  void take_addresses(const Payloads& payloads, Effects& out);
  // true: we asked for an address and have none, so that this IKE SA is being deleted
  bool lacks_address(const std::string& policy, const Payloads& payloads, TimePoint now, Effects& out);
  // `stands_in`: other IKE SAs between these identities go because of this one
  void assign_addresses(const Payloads& request, bool stands_in, Payloads& answer, Effects& out);
  std::vector<IpAddress> addresses_to_share(const wire::Configuration& asked, bool stands_in) const;
  bool assign_framed(const IpAddress& address, Effects& out);
  void answer_configuration(const Payloads& request, Payloads& answer) const;
  void inherit_addresses(const IkeSa& predecessor);
  void release_addresses(Effects& out);

  // endpoints.cpp
  void follow(const model::Datagram& datagram, bool response, TimePoint now, Effects& out);
  void move_to(const Endpoint& local, const Endpoint& remote, TimePoint now, Effects& out);
  void move_child(ChildSa& child, TimePoint now, Effects& out);
  std::optional<model::UdpEncapsulation> encapsulation(bool inbound) const;

  // mobike.cpp
  struct Path {
    IpAddress local, remote;
  };
  std::vector<IpAddress> own_addresses() const;
  void add_addresses(Payloads& payloads, bool in_auth) const;
  void offer_mobike(Payloads& payloads);
  void learn_mobike(const Payloads& payloads);
  void learn_addresses(const Payloads& payloads);
  std::vector<Path> paths() const;
  void take_path(const Path& path, TimePoint now, Effects& out);
  void ask_for_update(TimePoint now, Effects& out);
  void begin_update(TimePoint now, Effects& out);
  void on_update_response(const UpdateAddressesRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void probe(Effects& out);
  void on_probed(TimePoint now, Effects& out);
  void on_mobike_request(const Payloads& payloads, Payloads& answer, TimePoint now, Effects& out);
  void on_routability_response(const RoutabilityRequest& request, const Payloads& payloads, TimePoint now, Effects& out);
  void on_liveness_response(const Payloads& payloads, TimePoint now, Effects& out);
  void detect_nat_again(const Payloads& payloads, Effects& out) { detect_nat(payloads, reply_local_, reply_remote_, spi_r_, out); }

  // crash_detection.cpp
  void add_crash_token(Payloads& payloads) const;
  void learn_crash_token(const Payloads& payloads);
  void on_unprotected(const wire::Message& message, TimePoint now, Effects& out);
  void on_peer_lost_it(TimePoint now, Effects& out);

  // redirect.cpp
  void offer_redirect(Payloads& payloads);
  Result<IpAddress> redirect_target(const wire::GatewayIdentity& gateway, TimePoint now);
  void go_to(const IpAddress& gateway, std::vector<std::string> policies, std::uint32_t replaces, Effects& out);
  void on_init_redirect(const wire::NotifyPayload& redirect, TimePoint now, Effects& out);
  void on_auth_redirect(const wire::NotifyPayload& redirect, const AuthRequest& request, TimePoint now, Effects& out);
  void on_session_redirect(const Payloads& payloads, TimePoint now, Effects& out);
  bool redirects_in_auth() const;
  void redirect_in_auth(const wire::Header& header, Payloads answer, TimePoint now, Effects& out);

  // resumption.cpp
  void add_ticket(const Payloads& request, Payloads& answer, TimePoint now);
  bool wants_ticket() const;
  void learn_ticket(const Payloads& payloads, TimePoint now, Effects& out);
  void keep_ticket();
  void ask_for_ticket_later(TimePoint now);
  void send_resume(TimePoint now, Effects& out);
  void resume_refused(const std::string& why, TimePoint now, Effects& out);
  void on_resume_response(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  Bytes resumed_auth(bool ours) const;
  bool proves_resumption(const Payloads& payloads) const;
  void on_resumed_auth_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out);
  void on_resumed_auth_response(TimePoint now, Effects& out);
  void bound_authentication(TimePoint now);

  // reauthentication.cpp
  void begin_authentication_lifetime(TimePoint now);
  void add_auth_lifetime(Payloads& answer) const;
  void learn_auth_lifetime(const Payloads& payloads, TimePoint now);

  // child_sa.cpp
  struct ChildPlan {
    const model::SecurityPolicy* policy = nullptr;
    wire::Proposal choice;
    std::uint32_t spi_in = 0, spi_out = 0;
    Selectors local, remote;
    bool initiator = false;  // of the exchange that makes it
    ByteView nonce_i = {}, nonce_r = {};
    const Secret* shared_secret = nullptr;  // PFS; null: none
    std::span<const Secret> additional = {};
    ChildSa* rekeyed = nullptr;  // the one it replaces
    bool outbound_now = true;    // false: when the peer is ready (rekey, responder)
  };
  // null: could not be; the reason was logged and explained, spi_in was given back
  ChildSa* install_child(const ChildPlan& plan, TimePoint now, Effects& out);
  void activate_outbound(ChildSa& child, Effects& out);
  void stop_sending(ChildSa& child, TimePoint now, Effects& out);
  bool twin_sends(const ChildSa& child) const;
  void send_on_all(Effects& out);
  void remove_child(ChildSa& child, const std::string& reason, bool linger, TimePoint now, Effects& out);
  void child_notice(const ChildSa& child, Notice::Kind kind, std::string reason, Effects& out) const;
  ChildSa* find_child(std::uint32_t unique_id) const;
  ChildSa* find_child_by_spi_out(wire::ProtocolId protocol, std::uint32_t spi) const;
  // why a CHILD SA of this policy cannot be in the mode or of the protocol that it demands; empty: it can
  std::string hindrance(const model::SecurityPolicy& policy, const Selectors& local, const Selectors& remote) const;
  // answers the peer's SA, TSi and TSr: which of our policies, narrowed how, with which proposal
  struct Selection {
    const model::SecurityPolicy* policy = nullptr;
    wire::Proposal choice;
    Selectors local, remote;
    std::optional<IpAddress> local_named, remote_named;  // the address that the peer has in place of ours, behind a NAT
  };
  struct SeenSelectors {
    Selectors selectors;
    std::optional<IpAddress> named;  // what the peer had in place of the address of all of them
  };
  static SeenSelectors seen_here(const Selectors& named, bool behind_nat, const IpAddress& here);
  struct Refusal {
    wire::NotifyType notify{};
    Bytes data;
    model::Explanation why;  // cause, reason, tables, advice
  };
  std::optional<Refusal> address_refusal() const;  // virtual_address.cpp
  tl::expected<Selection, Refusal> select_child(const Payloads& payloads, KeyExchangeUse ke, const std::string& only_policy) const;
  Payloads child_answer(const Selection& selection, std::uint32_t spi_in) const;
  // what the peer chose out of our offer; an error is the peer's
  Result<Selection> accept_answer(const ChildOffer& offer, const Payloads& payloads, KeyExchangeUse ke) const;
  static std::uint32_t spi_of(const wire::Proposal& proposal);

  Context& ctx_;
  const std::uint32_t id_;
  const Role role_;
  VpnPtr vpn_;  // null on a responder until it is authenticated
  Endpoint local_, remote_;
  const TimePoint created_at_;
  TimePoint established_at_{};
  model::IkeSaPhase phase_ = model::IkeSaPhase::Created;
  bool dead_ = false;
  std::uint32_t attempt_ = 1;

  wire::IkeSpi spi_i_ = 0, spi_r_ = 0;
  wire::Proposal choice_;
  std::optional<IkeKeys> keys_;
  model::Identity local_id_, remote_id_;
  // Within EAP: ours when we began, else the peer's once it is proven.
  std::optional<model::Identity> local_eap_id_, remote_eap_id_;
  std::optional<model::AuthMethod> eap_method_;  // once it has succeeded
  std::string radius_server_;                    // that has accepted the peer; empty: none
  std::optional<seconds> session_timeout_;       // it gave, when it did
  // what the ends proved with, for who asks for the state; null, empty: no certificate
  model::LocalCertificatePtr local_certificate_;
  Bytes remote_certificate_;
  VirtualAddresses vips_;
  std::optional<InitExchange> init_;
  std::optional<AuthExchange> auth_;
  std::optional<Rounds> rounds_;
  std::unique_ptr<EapExchange> eap_;  // from the wish for EAP to its end
  std::uint64_t questions_ = 0;       // asked so far
  bool ppk_ = false;                  // in the keys (RFC 8784)
  bool fragmentation_ = false;        // both ends have said that they can (RFC 7383 2.3)
  bool we_behind_nat_ = false, peer_behind_nat_ = false;
  Endpoint reply_local_, reply_remote_;  // between which the message at hand came
  bool mobike_ = false;                  // both ends do it
  bool mobike_initiator_ = false;        // we began the first IKE SA, and decide on addresses
  bool redirects_ = false;               // the client has said that it follows redirections
  std::optional<IpAddress> redirected_from_;
  std::optional<KeptTicket> ticket_;            // client: with which this IKE SA could be resumed
  bool ticket_refused_ = false;                 // the gateway gives none
  std::optional<KeptTicket> resuming_;          // client: with which it was begun
  std::optional<TicketContent> resumed_;        // gateway: the same
  std::optional<seconds> authenticated_until_;  // gateway: since 1970
  std::vector<IpAddress> announced_;            // addresses of ours that the peer was told of last
  std::vector<IpAddress> peer_addresses_;
  Bytes mapping_;                       // how the peer saw us last, as it hashes it
  Secret peer_token_;                   // by which the peer would prove that it has lost this IKE SA; empty: none
  std::optional<TimePoint> hinted_at_;  // an unprotected message made us ask the peer then
  bool encapsulate() const { return we_behind_nat_ || peer_behind_nat_; }

  // our requests
  RequestWindow window_;
  std::optional<Request> request_;
  wire::ExchangeType requested_{};  // the exchange of that request
  std::uint32_t next_request_id_ = 0;
  std::deque<Job> jobs_;
  std::vector<DelayedJob> delayed_;
  // theirs
  std::uint32_t expected_request_id_ = 0;
  std::vector<Bytes> last_response_;  // to the request before that one, its fragments if it has some
  // fragments of the request expected next, and of the response to ours
  Reassembly request_pieces_, response_pieces_;
  // of the keys before the last IKE_INTERMEDIATE: its request may come again
  std::optional<crypto::SkCipher> former_inbound_cipher_;

  std::vector<std::unique_ptr<ChildSa>> children_;
  std::vector<std::string> wanted_;  // policies to set up once established
  std::optional<PeerRekey> peer_rekey_;
  std::unique_ptr<PeerFollowup> peer_followup_;  // what the peer began by CREATE_CHILD_SA and goes on with by IKE_FOLLOWUP_KE
  std::uint32_t predecessor_ = 0;                // whose CHILD SAs are ours once the peer uses this IKE SA

  TimePoint last_heard_{}, last_sent_{};
  std::optional<TimePoint> rekey_at_, dies_at_;
  std::optional<TimePoint> reauth_at_;
  std::optional<TimePoint> authentication_ends_;  // without reauthentication the IKE SA, however often rekeyed, ends then
  std::uint32_t replaces_ = 0;
  Between between_;
  std::vector<std::string> restart_;    // policies to begin anew with when this one is gone
  std::optional<TimePoint> retire_at_;  // another IKE SA has taken its place
  std::string retire_reason_;
  std::optional<TimePoint> give_up_at_;  // half open, or answered with a failure: gone then
};

}  // namespace svti::sa
