// SPDX-License-Identifier: Apache-2.0
#include "engine/certificate_lookup.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "auth/certificates.h"

namespace svti::engine {

struct CertificateLookup::Inquiry {
  Inquiry(boost::asio::io_context& loop, const std::pair<std::string, Prefix>& of, std::vector<sa::CertificateUrl> what, Done told)
      : address(of), at(std::move(what)), found(at.size()), done(std::move(told)), timer(loop) {}
  std::pair<std::string, Prefix> address;  // and its VRF
  std::vector<sa::CertificateUrl> at;
  std::vector<Bytes> found;  // in the order of `at`; empty: not yet
  Done done;
  bool concluded = false;
  boost::asio::steady_timer timer;
};

namespace {

// who can take one address of it can take any other
Prefix one_place(const IpAddress& address) {
  static constexpr std::uint8_t kV6Link = 64;
  return address.is_v4() ? Prefix::host(address) : Prefix(address, kV6Link);
}

}  // namespace

CertificateLookup::CertificateLookup(boost::asio::io_context& loop, model::Fetcher& fetcher, LogSink log, Clock clock)
    : loop_(loop), fetcher_(fetcher), log_(std::move(log)), clock_(std::move(clock)) {}

CertificateLookup::~CertificateLookup() = default;

void CertificateLookup::look_up(const std::string& vrf, const IpAddress& peer, std::vector<sa::CertificateUrl> at, Done done) {
  const std::pair address(vrf, one_place(peer));
  std::size_t& of_address = open_of_[address];
  const bool too_many = of_address >= kMostOfAddress;
  if (too_many || open_ >= kMostPeers) {
    if (of_address == 0) open_of_.erase(address);
    return done(system_error(std::string("certificates of too many peers") + (too_many ? " at its address" : "") + " are being looked up"));
  }
  ++of_address;
  ++open_;
  const auto inquiry = std::make_shared<Inquiry>(loop_, address, std::move(at), std::move(done));
  inquiry->timer.expires_after(kAskTime);
  inquiry->timer.async_wait([this, inquiry, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (!error && !alive.expired())
      conclude(inquiry, system_error("there was no answer within " + std::to_string(kAskTime.count()) + " s"));
  });
  for (const sa::CertificateUrl& one : inquiry->at) {
    if (inquiry->concluded) return;
    const auto failed = failures_.find({vrf, one.url});
    if (const auto kept = kept_.find(one.sha1); kept != kept_.end()) {
      tell(inquiry, one.url, kept->second);
    } else if (failed != failures_.end() && clock_() < failed->second.until) {
      tell(inquiry, one.url, system_error(failed->second.why));
    } else {
      auto& waiting = waiting_[{vrf, one.url}];
      if (waiting.empty()) line_.emplace_back(vrf, one);
      waiting.push_back(inquiry);
    }
  }
  begin_next();
}

void CertificateLookup::tell(const InquiryPtr& inquiry, const std::string& url, const Result<Bytes>& outcome) {
  if (inquiry->concluded) return;
  if (!outcome) return conclude(inquiry, system_error(url + ": " + outcome.error().message));
  for (std::size_t i = 0; i < inquiry->at.size(); ++i) {
    if (inquiry->at[i].url == url) inquiry->found[i] = *outcome;
  }
  const bool all = std::none_of(inquiry->found.begin(), inquiry->found.end(), [](const Bytes& one) { return one.empty(); });
  if (all) conclude(inquiry, std::move(inquiry->found));
}

void CertificateLookup::conclude(const InquiryPtr& inquiry, Result<std::vector<Bytes>> outcome) {
  if (inquiry->concluded) return;
  inquiry->concluded = true;
  inquiry->timer.cancel();
  --open_;
  if (const auto of = open_of_.find(inquiry->address); --of->second == 0) open_of_.erase(of);
  const Done done = std::move(inquiry->done);
  done(std::move(outcome));
}

void CertificateLookup::begin_next() {
  while (under_way_ < kMostAtOnce && !line_.empty()) {
    const auto [vrf, next] = std::move(line_.front());
    line_.pop_front();
    const auto waiting = waiting_.find({vrf, next.url});
    // whoever asked has given up meanwhile
    const bool wanted = std::any_of(waiting->second.begin(), waiting->second.end(), [](const auto& one) { return !one->concluded; });
    if (!wanted) {
      waiting_.erase(waiting);
      continue;
    }
    ++under_way_;
    model::Fetch what{next.url, {}, kMaxCertificate, kFetchTime, true, false, vrf};
    fetcher_.fetch(std::move(what), [this, vrf = vrf, next = next, alive = std::weak_ptr(alive_)](Result<Bytes> octets) {
      if (!alive.expired()) fetched(vrf, next, std::move(octets));
    });
  }
}

void CertificateLookup::fetched(const std::string& vrf, const sa::CertificateUrl& at, Result<Bytes> octets) {
  --under_way_;
  if (octets) {
    if (const Status right = auth::fits_hash(*octets, at.sha1); !right) octets = fail(right.error());
  }
  if (octets) {
    keep(at.sha1, *octets);
  } else {
    remember_failure({vrf, at.url}, octets.error().message);
  }
  const auto waiting = waiting_.extract({vrf, at.url});
  for (const InquiryPtr& one : waiting.mapped()) tell(one, at.url, octets);
  begin_next();
}

void CertificateLookup::remember_failure(const Source& source, std::string why) {
  const auto now = clock_();
  if (log_)
    log_({Subsystem::Daemon,
          1,
          {},
          (source.first == model::kMainVrf ? "" : "vrf " + source.first + ": ") + "certificate at " + printable(source.second, 200) + ": " +
              why});
  if (failures_.size() >= kMostFailures) std::erase_if(failures_, [&](const auto& one) { return one.second.until <= now; });
  if (failures_.size() >= kMostFailures) failures_.erase(failures_.begin());
  failures_[source] = {std::move(why), now + kFailurePause};
}

void CertificateLookup::keep(const Bytes& sha1, Bytes certificate) {
  if (!kept_.emplace(sha1, std::move(certificate)).second) return;
  kept_in_order_.push_back(sha1);
  if (kept_in_order_.size() <= kMostKept) return;
  kept_.erase(kept_in_order_.front());
  kept_in_order_.pop_front();
}

void CertificateLookup::flush() {
  kept_.clear();
  kept_in_order_.clear();
  failures_.clear();
}

}  // namespace svti::engine
