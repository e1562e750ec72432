// SPDX-License-Identifier: Apache-2.0
// Certificates of peers by hash and URL (RFC 7296 3.6), fetched from where the configuration says that an authority publishes them. It is
// done for strangers: what that costs is bounded here, for each address and for all of them. One thread; nobody waits but who asked.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "model/fetcher.h"
#include "sa/effects.h"

namespace svti::engine {

class CertificateLookup {
 public:
  using Clock = std::function<std::chrono::sys_seconds()>;

  // how long, how much, how many
  static constexpr std::chrono::seconds kFetchTime{5};      // for one URL
  static constexpr std::chrono::seconds kAskTime{10};       // for all of a peer, waiting in line included; below what an IKE SA waits
  static constexpr std::chrono::seconds kFailurePause{30};  // before a URL that failed is tried again
  static constexpr std::size_t kMaxCertificate = std::size_t{16} << 10;
  static constexpr std::size_t kMostAtOnce = 4;      // fetches: half of those that there can be, the rest is for revocation
  static constexpr std::size_t kMostOfAddress = 4;   // peers of one address that wait, of IPv6 one /64
  static constexpr std::size_t kMostPeers = 64;      // that wait
  static constexpr std::size_t kMostKept = 256;      // certificates, in memory
  static constexpr std::size_t kMostFailures = 256;  // URLs that failed, remembered

  // `fetcher` and `loop` outlive it.
  CertificateLookup(boost::asio::io_context& loop, model::Fetcher& fetcher, LogSink log, Clock clock);
  ~CertificateLookup();

  using Done = std::function<void(Result<std::vector<Bytes>>)>;
  // Of a peer in that VRF, from where they are fetched. Calls `done` once, at once or later, within kAskTime, with all of them in order, or
  // with what is wrong with the first that cannot be had.
  void look_up(const std::string& vrf, const IpAddress& peer, std::vector<sa::CertificateUrl> at, Done done);

  // forgets what was fetched, and what failed
  void flush();

 private:
  struct Inquiry;
  using InquiryPtr = std::shared_ptr<Inquiry>;
  struct Failure {
    std::string why;
    std::chrono::sys_seconds until;
  };

  // a URL in one VRF leads elsewhere than in another
  using Source = std::pair<std::string, std::string>;

  void tell(const InquiryPtr& inquiry, const std::string& url, const Result<Bytes>& outcome);
  void conclude(const InquiryPtr& inquiry, Result<std::vector<Bytes>> outcome);
  void begin_next();
  void fetched(const std::string& vrf, const sa::CertificateUrl& at, Result<Bytes> octets);
  void remember_failure(const Source& source, std::string why);
  void keep(const Bytes& sha1, Bytes certificate);

  boost::asio::io_context& loop_;
  model::Fetcher& fetcher_;
  LogSink log_;
  Clock clock_;
  std::map<Bytes, Bytes> kept_;  // by SHA-1
  std::deque<Bytes> kept_in_order_;
  std::map<Source, Failure> failures_;
  std::size_t open_ = 0;                                           // peers that wait
  std::map<std::pair<std::string, Prefix>, std::size_t> open_of_;  // of a VRF's address
  std::deque<std::pair<std::string, sa::CertificateUrl>> line_;    // by VRF, to be fetched
  std::map<Source, std::vector<InquiryPtr>> waiting_;              // for a URL in line or under way
  std::size_t under_way_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace svti::engine
