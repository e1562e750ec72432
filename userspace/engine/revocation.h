// SPDX-License-Identifier: Apache-2.0
// What servers say about certificates: asked of OCSP responders, read from revocation lists and their deltas, kept until it has to be asked
// for again; lists also on disk, in `crl` of the state directory. Who asks has verified the chain: nothing that an untrusted certificate
// names comes here (CVE-2022-40617). Servers are asked from the VRF whose peer it is about, and what a URI leads to is another matter in
// each VRF. One thread; nobody waits but who asked.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "crypto/revocation.h"
#include "model/credentials.h"
#include "model/fetcher.h"
#include "model/state.h"

namespace svti::engine {

class Revocation {
 public:
  using Clock = std::function<std::chrono::sys_seconds()>;

  // how long, how much, how often
  static constexpr std::chrono::seconds kFetchTime{6};      // for one URI
  static constexpr std::chrono::seconds kAskTime{15};       // for all URIs of a certificate; below what an IKE SA waits
  static constexpr std::chrono::seconds kStapleTime{5};     // for an answer about a certificate of ours
  static constexpr std::chrono::seconds kFailurePause{60};  // before a URI that failed is tried again
  static constexpr std::size_t kMaxList = std::size_t{8} << 20;
  static constexpr std::size_t kMaxResponse = std::size_t{16} << 10;
  static constexpr std::size_t kMostUris = 8;        // of a certificate and its authority, of each kind
  static constexpr std::size_t kMostAnswers = 4096;  // of OCSP responders, kept in memory
  static constexpr std::size_t kMostFiles = 256;     // lists on disk

  // Runs `work`, which touches nothing of the caller's, in another thread, then `done` in the event loop's. A list of 100,000 entries takes
  // some 40 ms to read, verify and write.
  using Background = std::function<void(std::function<void()> work, std::function<void()> done)>;

  // `fetcher` and `loop` outlive it. `cache` empty: lists are kept in memory alone. `background` empty: at once.
  Revocation(boost::asio::io_context& loop, model::Fetcher& fetcher, std::string cache, LogSink log, Clock clock,
             Background background = {});
  ~Revocation();

  struct Question {
    std::string vrf;
    Bytes certificate, issuer;          // DER; the issuer has signed it, and is trusted
    std::vector<std::string> crl_uris;  // of the configuration: asked first
    std::vector<std::string> ocsp_uris;
  };
  using Answer = std::function<void(crypto::Finding)>;
  // Calls `answer` once, at once or later, within kAskTime.
  void ask(Question question, Answer answer);
  // An OCSP response about a certificate of ours, to be shown to others; empty: there is none. At once or later, within kStapleTime.
  void staple(Question question, std::function<void(Bytes)> done);

  // what is known of the URIs of an authority (DER), those of the configuration among them
  std::vector<model::RevocationState> states(const std::string& vrf, const model::Authority& authority) const;
  // forgets what was fetched, and which servers failed. `lists`, `responses`: of these kinds
  void flush(bool lists, bool responses);

 private:
  struct Inquiry;
  using InquiryPtr = std::shared_ptr<Inquiry>;
  // where lists come from, or what is asked
  struct Source {
    std::string vrf, uri;
    auto operator<=>(const Source&) const = default;
    std::string to_string() const;  // for the log
  };
  // what is known of it
  struct Place {
    std::optional<crypto::Crl> list;
    Bytes issuer;            // DER
    bool responder = false;  // else lists come from there
    bool on_disk_read = false;
    std::chrono::sys_seconds last_success{}, last_failure{};
    std::string failure;  // of the last attempt; empty: it succeeded
  };
  struct KeptAnswer {
    Bytes response;
    std::chrono::sys_seconds until;
  };

  bool resting(const Place& place) const;
  void note_failure(const Source& source, Place& place, std::string why);
  Place& list_place(const Source& source, ByteView issuer);
  using Told = std::function<void(const std::string& wrong)>;
  struct TakenList;
  void take_list(const Source& source, Bytes issuer, Result<Bytes> fetched, Told judged);
  std::string keep_list(const Source& source, ByteView issuer, TakenList taken);
  std::string keep_answer(const Source& source, const Question& question, ByteView request, Result<Bytes> fetched);
  void begin(const InquiryPtr& inquiry, std::chrono::seconds time);
  void step(const InquiryPtr& inquiry);
  bool next_responder(const InquiryPtr& inquiry);
  bool next_list(const InquiryPtr& inquiry, std::vector<std::string>& uris);
  std::vector<crypto::Crl> held_lists(const Inquiry& inquiry);
  static void conclude(const InquiryPtr& inquiry, crypto::Finding finding);
  // `take` judges what came, once, and tells what is wrong with it, at once or later; everybody who waits for the same is told
  using Take = std::function<void(Result<Bytes>, Told judged)>;
  void fetch_once(const std::string& key, model::Fetch what, Take take, Told told);
  static std::string file_of(const Source& source);

  boost::asio::io_context& loop_;
  model::Fetcher& fetcher_;
  std::string cache_;
  LogSink log_;
  Clock clock_;
  Background background_;
  std::map<Source, Place> places_;
  std::map<Bytes, KeptAnswer> answers_;  // by the certificate
  std::map<std::string, std::vector<Told>> under_way_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace svti::engine
