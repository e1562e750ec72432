// SPDX-License-Identifier: Apache-2.0
#include "crypto/revocation.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/log.h"
#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using std::chrono::sys_seconds;

using X509Ptr = Owned<X509, X509_free>;
using CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using BioPtr = Owned<BIO, BIO_free_all>;
using NumberPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using PointsPtr = Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free>;
using IdPtr = Owned<OCSP_CERTID, OCSP_CERTID_free>;

void free_strings(STACK_OF(OPENSSL_STRING) * stack) { X509_email_free(stack); }
void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

constexpr std::chrono::minutes kClockSkew{5};      // between a responder and us
constexpr std::chrono::seconds kUnlimitedFor{60};  // how long an answer serves that does not say until when it holds
constexpr int kNonceSize = 16;
constexpr int kSecurityLevel = 2;   // OpenSSL's: 112 bits
constexpr int kWeakHashBelow = 28;  // octets

std::string date_text(sys_seconds time) { return fmt::format("{:%Y-%m-%d %H:%M} UTC", time); }

X509Ptr parse_x509(ByteView der) {
  const unsigned char* at = der.data();
  X509Ptr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (at != der.data() + der.size()) out.reset();
  return out;
}

// MD5 and SHA-1
bool weak_hash(int signature_nid) {
  int digest = NID_undef;
  if (OBJ_find_sigid_algs(signature_nid, &digest, nullptr) != 1 || digest == NID_undef) return false;
  const EVP_MD* hash = EVP_get_digestbynid(digest);
  return hash == nullptr || EVP_MD_get_size(hash) < kWeakHashBelow;
}

void take_uris(const GENERAL_NAMES* names, std::vector<std::string>& out) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) out.emplace_back(as_text(octets_of(name->d.uniformResourceIdentifier)));
  }
}

// Of points that the issuer itself fills, for all reasons: others say less than is asked.
std::vector<std::string> uris_of(const PointsPtr& points) {
  std::vector<std::string> out;
  for (int i = 0; i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT* point = sk_DIST_POINT_value(points.get(), i);
    if (point->distpoint == nullptr || point->distpoint->type != 0 || point->reasons != nullptr || point->CRLissuer != nullptr) continue;
    take_uris(point->distpoint->name.fullname, out);
  }
  return out;
}

PointsPtr points_of(const X509* certificate, int nid) {
  return PointsPtr(static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(certificate, nid, nullptr, nullptr)));
}

// big-endian, without leading zeros: of two the longer one is the larger
Bytes magnitude(const ASN1_INTEGER* number) {
  Bytes out = octets_of(number);
  out.erase(out.begin(), std::find_if(out.begin(), out.end(), [](std::uint8_t octet) { return octet != 0; }));
  return out;
}
bool less(const Bytes& a, const Bytes& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

std::string serial_of(const X509* certificate) { return to_hex(octets_of(X509_get0_serialNumber(certificate))); }

std::string revoked_text(X509* certificate, std::optional<sys_seconds> when, const std::string& who) {
  return "certificate \"" + text_of(X509_get_subject_name(certificate)) + "\" was revoked" + (when ? " on " + date_text(*when) : "") +
         " (serial " + serial_of(certificate) + "), says " + who;
}

}  // namespace

struct Crl::Impl {
  CrlPtr list;
  sys_seconds this_update;
  std::optional<sys_seconds> next_update;
  Bytes number;
  std::optional<Bytes> base;  // of a delta: the number of the list that it can be added to
  Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free> scope;
  bool scope_unreadable = false;
  bool unknown_critical = false;
  std::vector<std::string> delta_uris;

  std::string name() const {
    return std::string(base ? "the delta revocation list " : "the revocation list ") + (number.empty() ? "" : to_hex(number) + " ") +
           "of \"" + text_of(X509_CRL_get_issuer(list.get())) + "\"";
  }
  // RFC 5280 6.3.3 (b)(2): what the list does not speak about; empty: it speaks about this certificate
  std::string not_covered(X509* certificate) const {
    if (unknown_critical) return "has a critical extension that is not known";
    if (scope_unreadable) return "does not say readably what it is about";
    if (!scope) return {};
    if (scope->indirectCRL > 0 || scope->onlyattr > 0 || scope->onlysomereasons != nullptr) return "is about something else";
    const bool authority = X509_check_ca(certificate) == 1;
    if (scope->onlyuser > 0 && authority) return "is about end entities only";
    if (scope->onlyCA > 0 && !authority) return "is about authorities only";
    if (scope->distpoint == nullptr) return {};
    if (scope->distpoint->type != 0) return "is about another part of the certificates";
    std::vector<std::string> ours;
    take_uris(scope->distpoint->name.fullname, ours);
    const auto theirs = uris_of(points_of(certificate, NID_crl_distribution_points));
    const bool named = std::any_of(ours.begin(), ours.end(),
                                   [&](const auto& uri) { return std::find(theirs.begin(), theirs.end(), uri) != theirs.end(); });
    return named ? "" : "is about another part of the certificates";
  }
};

Result<Crl> Crl::read(ByteView octets) {
  const ErrorQueue queue;
  if (octets.empty()) return peer_error("is empty");
  if (octets.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return peer_error("is too large");
  auto impl = std::make_shared<Impl>();
  if (octets.front() == 0x30) {
    const unsigned char* at = octets.data();
    impl->list.reset(d2i_X509_CRL(nullptr, &at, static_cast<long>(octets.size())));
    if (at != octets.data() + octets.size()) impl->list.reset();
  } else {
    const auto bio = owned<BioPtr>(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
    impl->list.reset(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  }
  const X509_CRL* list = impl->list.get();
  if (list == nullptr) return peer_error("is not a revocation list in DER or PEM");
  const auto this_update = time_of(X509_CRL_get0_lastUpdate(list));
  if (!this_update) return peer_error("is a revocation list without a readable date");
  impl->this_update = *this_update;
  impl->next_update = time_of(X509_CRL_get0_nextUpdate(list));
  if (X509_CRL_get0_nextUpdate(list) != nullptr && !impl->next_update) return peer_error("is a revocation list without a readable date");
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(list, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (X509_EXTENSION_get_critical(extension) != 0 && nid != NID_issuing_distribution_point && nid != NID_delta_crl)
      impl->unknown_critical = true;
  }
  const auto integer = [&](int nid) { return NumberPtr(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, nid, nullptr, nullptr))); };
  if (const NumberPtr number = integer(NID_crl_number)) impl->number = magnitude(number.get());
  if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0) {
    const NumberPtr base = integer(NID_delta_crl);
    if (!base || impl->number.empty()) return peer_error("is a delta revocation list without its numbers");
    impl->base = magnitude(base.get());
  }
  if (X509_CRL_get_ext_by_NID(list, NID_issuing_distribution_point, -1) >= 0) {
    impl->scope.reset(static_cast<ISSUING_DIST_POINT*>(X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, nullptr, nullptr)));
    impl->scope_unreadable = !impl->scope;
  }
  impl->delta_uris = uris_of(PointsPtr(static_cast<CRL_DIST_POINTS*>(X509_CRL_get_ext_d2i(list, NID_freshest_crl, nullptr, nullptr))));
  return Crl(std::move(impl));
}

std::string Crl::issuer_text() const { return text_of(X509_CRL_get_issuer(impl_->list.get())); }
std::string Crl::number() const { return to_hex(impl_->number); }
sys_seconds Crl::this_update() const { return impl_->this_update; }
std::optional<sys_seconds> Crl::next_update() const { return impl_->next_update; }
bool Crl::is_delta() const { return impl_->base.has_value(); }
const std::vector<std::string>& Crl::delta_uris() const { return impl_->delta_uris; }
Bytes Crl::der() const { return encoded(impl_->list.get(), i2d_X509_CRL); }
std::size_t Crl::entries() const {
  return static_cast<std::size_t>(std::max(0, sk_X509_REVOKED_num(X509_CRL_get_REVOKED(impl_->list.get()))));
}

bool Crl::newer_than(const Crl& other) const {
  if (impl_->number != other.impl_->number) return less(other.impl_->number, impl_->number);
  return impl_->this_update > other.impl_->this_update;
}

namespace {

Status vouched(const Crl::Impl& list, X509* issuer) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(list.list.get()), X509_get_subject_name(issuer)) != 0)
    return peer_error("is a revocation list of \"" + text_of(X509_CRL_get_issuer(list.list.get())) + "\"");
  if (weak_hash(X509_CRL_get_signature_nid(list.list.get()))) return peer_error("is signed with a hash that is too weak (MD5 or SHA-1)");
  if ((X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0)
    return peer_error("is signed by a key that may not sign such lists (key usage)");
  if (X509_CRL_verify(list.list.get(), X509_get0_pubkey(issuer)) != 1) return peer_error("has a wrong signature");
  return {};
}

}  // namespace

Status Crl::signed_by(ByteView issuer) const {
  const ErrorQueue queue;
  const X509Ptr authority = parse_x509(issuer);
  if (!authority) return peer_error("is of an issuer that cannot be read");
  return vouched(*impl_, authority.get());
}

Finding ask_lists(ByteView certificate, ByteView issuer, std::span<const Crl> lists, sys_seconds at) {
  const ErrorQueue queue;
  const X509Ptr subject = parse_x509(certificate);
  const X509Ptr authority = parse_x509(issuer);
  if (!subject || !authority) return {Standing::Unknown, "the certificate cannot be read"};
  const std::string whose = "\"" + text_of(X509_get_subject_name(authority.get())) + "\"";
  Finding out{Standing::Unknown, "there is no revocation list of " + whose};
  std::vector<const Crl::Impl*> bases, deltas;
  for (const Crl& one : lists) {
    const Crl::Impl& list = one.impl();
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.list.get()), X509_get_subject_name(authority.get())) != 0) continue;
    if (const Status right = vouched(list, authority.get()); !right) {
      out.why = "the revocation list of " + whose + " " + right.error().message;
      continue;
    }
    (list.base ? deltas : bases).push_back(&list);
  }
  const auto current = [&](const Crl::Impl& list) { return !list.next_update || *list.next_update >= at; };
  // 1 revoked, 2 taken back, 0 not named
  const auto named = [&](const Crl::Impl& list, std::optional<sys_seconds>& when) {
    X509_REVOKED* entry = nullptr;
    const int found = X509_CRL_get0_by_cert(list.list.get(), &entry, subject.get());
    if (found != 0 && entry != nullptr) when = time_of(X509_REVOKED_get0_revocationDate(entry));
    return found;
  };
  for (const Crl::Impl* base : bases) {
    const Crl::Impl* delta = nullptr;  // the newest that fits
    for (const Crl::Impl* one : deltas) {
      const bool fits = !less(base->number, *one->base) && less(base->number, one->number) && one->not_covered(subject.get()).empty();
      if (fits && (delta == nullptr || less(delta->number, one->number))) delta = one;
    }
    std::optional<sys_seconds> when;
    int found = delta == nullptr ? 0 : named(*delta, when);
    // what an old delta took back may have been revoked again since
    if (found == 2 && !current(*delta)) found = 0;
    if (found == 1) return {Standing::Revoked, revoked_text(subject.get(), when, delta->name())};
    // an entry holds even when the list is out of date: nobody is taken back but by a newer list, which would be asked too
    if (found != 2 && named(*base, when) == 1) return {Standing::Revoked, revoked_text(subject.get(), when, base->name())};
    if (out.standing == Standing::Good) continue;
    if (const std::string other = base->not_covered(subject.get()); !other.empty()) {
      out.why = base->name() + " " + other;
    } else if (!current(*base)) {
      out.why = "the revocation list of " + whose + " is out of date since " + date_text(*base->next_update);
    } else if (base->this_update > at + kClockSkew) {
      out.why = "the revocation list of " + whose + " is valid only from " + date_text(base->this_update);
    } else {
      out = {Standing::Good, {}, base->next_update};
    }
  }
  if (bases.empty() && !deltas.empty()) out.why = "there is a delta revocation list of " + whose + ", and not the list that it adds to";
  return out;
}

RevocationSources revocation_sources(ByteView certificate) {
  const ErrorQueue queue;
  RevocationSources out;
  const X509Ptr subject = parse_x509(certificate);
  if (!subject) return out;
  out.crl_uris = uris_of(points_of(subject.get(), NID_crl_distribution_points));
  out.delta_uris = uris_of(points_of(subject.get(), NID_freshest_crl));
  const Owned<STACK_OF(OPENSSL_STRING), free_strings> responders(X509_get1_ocsp(subject.get()));
  for (int i = 0; i < sk_OPENSSL_STRING_num(responders.get()); ++i)
    out.ocsp_uris.emplace_back(sk_OPENSSL_STRING_value(responders.get(), i));
  return out;
}

// --- OCSP -------------------------------------------------------------------------------------------------------------------

Bytes make_ocsp_request(ByteView certificate, ByteView issuer) {
  const ErrorQueue queue;
  const X509Ptr subject = parse_x509(certificate);
  const X509Ptr authority = parse_x509(issuer);
  if (!subject || !authority) return {};
  const auto request = owned<Owned<OCSP_REQUEST, OCSP_REQUEST_free>>(OCSP_REQUEST_new());
  // SHA-1 names the certificate here, it protects nothing; it is what every responder knows (RFC 5019 2.1.1)
  auto id = owned<IdPtr>(OCSP_cert_to_id(EVP_sha1(), subject.get(), authority.get()));
  if (OCSP_request_add0_id(request.get(), id.get()) == nullptr) throw std::bad_alloc();
  id.release();
  std::array<unsigned char, kNonceSize> nonce{};
  if (RAND_bytes(nonce.data(), kNonceSize) != 1 || OCSP_request_add1_nonce(request.get(), nonce.data(), kNonceSize) != 1)
    throw std::bad_alloc();
  return encoded(request.get(), i2d_OCSP_REQUEST);
}

namespace {

// the answer about this certificate; null: there is none
OCSP_SINGLERESP* answer_about(OCSP_BASICRESP* basic, X509* subject, X509* authority) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
    const OCSP_CERTID* theirs = OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT* hash = nullptr;
    if (OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, const_cast<OCSP_CERTID*>(theirs)) != 1) continue;
    const EVP_MD* digest = EVP_get_digestbyobj(hash);
    if (digest == nullptr) continue;
    const IdPtr ours(OCSP_cert_to_id(digest, subject, authority));
    if (ours && OCSP_id_cmp(ours.get(), theirs) == 0) return single;
  }
  return nullptr;
}

// empty: signed by the issuer, or by whom it certified for that
std::string wrong_signer(OCSP_BASICRESP* basic, X509* authority, sys_seconds at) {
  const auto store = owned<Owned<X509_STORE, X509_STORE_free>>(X509_STORE_new());
  const auto known = owned<Owned<STACK_OF(X509), free_certificates>>(sk_X509_new_null());
  const auto parameters = owned<Owned<X509_VERIFY_PARAM, X509_VERIFY_PARAM_free>>(X509_VERIFY_PARAM_new());
  X509_VERIFY_PARAM_set_time(parameters.get(), at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_auth_level(parameters.get(), kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(parameters.get(), 1);
  X509_VERIFY_PARAM_set_flags(parameters.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  if (X509_STORE_set1_param(store.get(), parameters.get()) != 1 || X509_STORE_add_cert(store.get(), authority) != 1) throw std::bad_alloc();
  if (X509_up_ref(authority) != 1 || sk_X509_push(known.get(), authority) <= 0) throw std::bad_alloc();
  const X509_ALGOR* algorithm = OCSP_resp_get0_tbs_sigalg(basic);
  const ASN1_OBJECT* signed_with = nullptr;
  X509_ALGOR_get0(&signed_with, nullptr, nullptr, algorithm);
  if (weak_hash(OBJ_obj2nid(signed_with))) return "is signed with a hash that is too weak (MD5 or SHA-1)";
  if (OCSP_basic_verify(basic, known.get(), store.get(), 0) != 1)
    return "is signed neither by \"" + text_of(X509_get_subject_name(authority)) + "\" nor by a responder that it certified";
  return {};
}

std::string responder_name(const OCSP_BASICRESP* basic) {
  const ASN1_OCTET_STRING* key = nullptr;
  const X509_NAME* name = nullptr;
  if (OCSP_resp_get0_id(basic, &key, &name) != 1) return "the OCSP responder";
  return name != nullptr ? "the OCSP responder \"" + text_of(name) + "\"" : "the OCSP responder with key " + to_hex(octets_of(key));
}

}  // namespace

Finding ask_ocsp(ByteView response, ByteView request, ByteView certificate, ByteView issuer, sys_seconds at) {
  const ErrorQueue queue;
  const auto unknown = [](std::string why) { return Finding{Standing::Unknown, std::move(why)}; };
  const X509Ptr subject = parse_x509(certificate);
  const X509Ptr authority = parse_x509(issuer);
  if (!subject || !authority) return unknown("the certificate cannot be read");
  const unsigned char* at_octet = response.data();
  const Owned<OCSP_RESPONSE, OCSP_RESPONSE_free> whole(d2i_OCSP_RESPONSE(nullptr, &at_octet, static_cast<long>(response.size())));
  if (!whole || at_octet != response.data() + response.size()) return unknown("what the OCSP responder sent is not an OCSP response");
  if (const int status = OCSP_response_status(whole.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return unknown(std::string("the OCSP responder answers: ") + OCSP_response_status_str(status));
  const Owned<OCSP_BASICRESP, OCSP_BASICRESP_free> basic(OCSP_response_get1_basic(whole.get()));
  if (!basic) return unknown("what the OCSP responder sent is of a kind that is not known");
  const std::string who = responder_name(basic.get());
  if (!request.empty()) {
    const unsigned char* from = request.data();
    const Owned<OCSP_REQUEST, OCSP_REQUEST_free> asked(d2i_OCSP_REQUEST(nullptr, &from, static_cast<long>(request.size())));
    if (!asked || OCSP_check_nonce(asked.get(), basic.get()) == 0)
      return unknown("the answer of " + who + " has another nonce than the request");
  }
  if (const std::string wrong = wrong_signer(basic.get(), authority.get(), at); !wrong.empty())
    return unknown("the answer of " + who + " " + wrong);
  OCSP_SINGLERESP* single = answer_about(basic.get(), subject.get(), authority.get());
  if (single == nullptr) return unknown("the answer of " + who + " is about another certificate");
  int reason = 0;
  ASN1_GENERALIZEDTIME *revoked_at = nullptr, *from = nullptr, *to = nullptr;
  const int status = OCSP_single_get0_status(single, &reason, &revoked_at, &from, &to);
  const auto this_update = time_of(from);
  const auto next_update = time_of(to);
  if (!this_update || (to != nullptr && !next_update)) return unknown("the answer of " + who + " has no readable dates");
  // RFC 6960 3.2: not before its time. That somebody is revoked holds longer than the answer that says so.
  if (*this_update > at + kClockSkew) return unknown("the answer of " + who + " is valid only from " + date_text(*this_update));
  if (status == V_OCSP_CERTSTATUS_REVOKED) return {Standing::Revoked, revoked_text(subject.get(), time_of(revoked_at), who)};
  const sys_seconds until = next_update ? *next_update : *this_update + kUnlimitedFor;
  if (next_update ? *next_update < at : *this_update + kClockSkew < at)
    return unknown("the answer of " + who + " is out of date since " + date_text(until));
  if (status != V_OCSP_CERTSTATUS_GOOD)
    return unknown(who + " does not know certificate \"" + text_of(X509_get_subject_name(subject.get())) + "\" (serial " +
                   serial_of(subject.get()) + ")");
  return {Standing::Good, {}, until};
}

std::string directory_name(ByteView certificate) {
  const ErrorQueue queue;
  const X509Ptr subject = parse_x509(certificate);
  if (!subject) return {};
  const auto bio = owned<BioPtr>(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(subject.get()), 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  std::string out;
  for (const char c : std::string_view(text, static_cast<std::size_t>(size))) {
    static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,=";
    out += kPlain.find(c) != std::string_view::npos ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Bytes issuer_among(ByteView certificate, std::span<const Bytes> known) {
  const ErrorQueue queue;
  const X509Ptr subject = parse_x509(certificate);
  for (const Bytes& der : known) {
    const X509Ptr one = parse_x509(der);
    if (subject && one && X509_check_issued(one.get(), subject.get()) == X509_V_OK &&
        X509_verify(subject.get(), X509_get0_pubkey(one.get())) == 1)
      return der;
  }
  return {};
}

}  // namespace svti::crypto
