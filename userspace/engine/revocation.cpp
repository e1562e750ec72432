// SPDX-License-Identifier: Apache-2.0
#include "engine/revocation.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "engine/running_file.h"
#include "engine/state_file.h"
#include "model/config.h"

namespace svti::engine {

using crypto::Finding;
using crypto::Standing;
using std::chrono::sys_seconds;

struct Revocation::Inquiry {
  Inquiry(boost::asio::io_context& loop, Question asked) : question(std::move(asked)), timer(loop) {}
  Question question;
  Answer answer;
  bool for_staple = false;                             // responders are asked, lists are not
  std::vector<std::string> responders, lists, deltas;  // not yet tried
  std::vector<std::string> all_lists;
  std::set<std::string> tried_deltas;
  std::set<std::string> configured;
  std::string gap;  // what went wrong so far
  bool concluded = false;
  boost::asio::steady_timer timer;

  void add_gap(const std::string& uri, const std::string& why) { gap += (gap.empty() ? "" : "; ") + printable(uri, 200) + ": " + why; }
};

namespace {

bool has_scheme(const std::string& uri, std::initializer_list<std::string_view> schemes) {
  return std::any_of(schemes.begin(), schemes.end(), [&](std::string_view scheme) { return uri.starts_with(scheme); });
}

// A server without an entry: the authority's own is meant (RFC 4523).
std::string whole_uri(const std::string& uri, ByteView issuer) {
  static constexpr std::string_view kLdap = "ldap://";
  if (!uri.starts_with(kLdap)) return uri;
  const auto slash = uri.find('/', kLdap.size());
  if (slash != std::string::npos && slash + 1 < uri.size()) return uri;
  return uri.substr(0, slash) + "/" + crypto::directory_name(issuer) + "?certificateRevocationList;binary?base";
}

void add_once(std::vector<std::string>& out, const std::string& uri) {
  if (out.size() < Revocation::kMostUris && std::find(out.begin(), out.end(), uri) == out.end()) out.push_back(uri);
}

bool current(const crypto::Crl& list, sys_seconds now) { return !list.next_update() || *list.next_update() >= now; }

constexpr std::size_t kMostPlaces = 256;  // URIs that something is known of; what an authority names in its certificates is up to it

// The one that was of use the longest time ago makes room for a new one: a list of it is still on disk.
template <typename Places>
auto& place_in(Places& places, const typename Places::key_type& source) {
  const auto found = places.find(source);
  if (found != places.end()) return found->second;
  if (places.size() >= kMostPlaces) {
    places.erase(std::min_element(places.begin(), places.end(),
                                  [](const auto& a, const auto& b) { return a.second.last_success < b.second.last_success; }));
  }
  return places[source];
}

Result<Bytes> read_list_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.fd() < 0) return cannot("read", path);
  Bytes out(Revocation::kMaxList + 1);
  std::size_t held = 0;
  while (held < out.size()) {
    const ssize_t size = ::read(file.fd(), out.data() + held, out.size() - held);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot("read", path);
    if (size == 0) break;
    held += static_cast<std::size_t>(size);
  }
  out.resize(held);
  return out;
}

// room for one more: the oldest goes
void thin_out(const std::string& cache) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    if (entry.path().extension() == ".crl") files.emplace_back(entry.last_write_time(error), entry.path());
  }
  if (files.size() < Revocation::kMostFiles) return;
  fs::remove(std::min_element(files.begin(), files.end())->second, error);
}

}  // namespace

// What came from a list's place, and whether it could be written.
struct Revocation::TakenList {
  Result<crypto::Crl> list = system_error("it was not read");
  Status written;
};

Revocation::Revocation(boost::asio::io_context& loop, model::Fetcher& fetcher, std::string cache, LogSink log, Clock clock,
                       Background background)
    : loop_(loop),
      fetcher_(fetcher),
      cache_(std::move(cache)),
      log_(std::move(log)),
      clock_(std::move(clock)),
      background_(std::move(background)) {
  if (!background_) {
    background_ = [](const std::function<void()>& work, const std::function<void()>& done) {
      work();
      done();
    };
  }
}

Revocation::~Revocation() = default;

// --- asking -----------------------------------------------------------------------------------------------------------------

void Revocation::ask(Question question, Answer answer) {
  auto inquiry = std::make_shared<Inquiry>(loop_, std::move(question));
  const Question& asked = inquiry->question;
  const crypto::RevocationSources named = crypto::revocation_sources(asked.certificate);
  for (const std::string& uri : asked.ocsp_uris) add_once(inquiry->responders, uri);
  for (const std::string& uri : asked.crl_uris) add_once(inquiry->lists, whole_uri(uri, asked.issuer));
  inquiry->configured.insert(inquiry->responders.begin(), inquiry->responders.end());
  inquiry->configured.insert(inquiry->lists.begin(), inquiry->lists.end());
  for (const std::string& uri : named.ocsp_uris) add_once(inquiry->responders, uri);
  for (const std::string& uri : named.crl_uris) add_once(inquiry->lists, uri);
  for (const std::string& uri : named.delta_uris) add_once(inquiry->deltas, uri);
  std::erase_if(inquiry->responders, [](const auto& uri) { return !has_scheme(uri, {"http://", "https://"}); });
  std::erase_if(inquiry->lists, [](const auto& uri) { return !has_scheme(uri, {"http://", "ldap://"}); });
  std::erase_if(inquiry->deltas, [](const auto& uri) { return !has_scheme(uri, {"http://", "ldap://"}); });
  inquiry->all_lists = inquiry->lists;
  inquiry->answer = std::move(answer);
  begin(inquiry, kAskTime);
}

void Revocation::staple(Question question, std::function<void(Bytes)> done) {
  auto inquiry = std::make_shared<Inquiry>(loop_, std::move(question));
  inquiry->for_staple = true;
  for (const std::string& uri : inquiry->question.ocsp_uris) add_once(inquiry->responders, uri);
  inquiry->configured.insert(inquiry->responders.begin(), inquiry->responders.end());
  for (const std::string& uri : crypto::revocation_sources(inquiry->question.certificate).ocsp_uris) add_once(inquiry->responders, uri);
  std::erase_if(inquiry->responders, [](const auto& uri) { return !has_scheme(uri, {"http://", "https://"}); });
  inquiry->answer = [this, done = std::move(done), alive = std::weak_ptr(alive_),
                     certificate = inquiry->question.certificate](const Finding& finding) {
    if (alive.expired()) return;
    const auto kept = answers_.find(certificate);
    if (finding.standing != Standing::Unknown && kept != answers_.end()) return done(kept->second.response);
    if (log_) log_({Subsystem::Daemon, 1, {}, "no OCSP response for our certificate: " + finding.why});
    done({});
  };
  begin(inquiry, kStapleTime);
}

void Revocation::begin(const InquiryPtr& inquiry, std::chrono::seconds time) {
  inquiry->timer.expires_after(time);
  inquiry->timer.async_wait([inquiry, time](const boost::system::error_code& error) {
    if (error) return;
    conclude(inquiry, {Standing::Unknown, "there was no answer within " + std::to_string(time.count()) + " s" +
                                              (inquiry->gap.empty() ? "" : "; " + inquiry->gap)});
  });
  step(inquiry);
}

void Revocation::conclude(const InquiryPtr& inquiry, Finding finding) {
  if (inquiry->concluded) return;
  inquiry->concluded = true;
  inquiry->timer.cancel();
  const Answer answer = std::move(inquiry->answer);
  answer(std::move(finding));
}

// What is known, or the next that can be asked: responders first, whose answers are newer than lists.
void Revocation::step(const InquiryPtr& inquiry) {
  if (inquiry->concluded) return;
  const Question& question = inquiry->question;
  const sys_seconds now = clock_();
  if (const auto kept = answers_.find(question.certificate); kept != answers_.end() && kept->second.until >= now) {
    Finding finding = crypto::ask_ocsp(kept->second.response, {}, question.certificate, question.issuer, now);
    if (finding.standing != Standing::Unknown) return conclude(inquiry, std::move(finding));
  }
  Finding by_list{Standing::Unknown, {}};
  if (!inquiry->for_staple) {
    const std::vector<crypto::Crl> lists = held_lists(*inquiry);
    by_list = crypto::ask_lists(question.certificate, question.issuer, lists, now);
    if (by_list.standing == Standing::Revoked) return conclude(inquiry, std::move(by_list));
    for (const crypto::Crl& list : lists) {
      for (const std::string& uri : list.delta_uris()) {
        if (has_scheme(uri, {"http://", "ldap://"}) && !inquiry->tried_deltas.contains(uri)) add_once(inquiry->deltas, uri);
      }
    }
  }
  if (next_responder(inquiry)) return;
  // a base that holds is enough where its delta is not to be had
  if (by_list.standing == Standing::Good) {
    for (const std::string& uri : inquiry->deltas) inquiry->tried_deltas.insert(uri);
    if (next_list(inquiry, inquiry->deltas)) return;
    return conclude(inquiry, std::move(by_list));
  }
  if (!inquiry->for_staple && next_list(inquiry, inquiry->lists)) return;
  std::string why = inquiry->gap;
  if (why.empty()) why = inquiry->for_staple ? "there is no responder to ask" : by_list.why;
  conclude(inquiry, {Standing::Unknown, std::move(why)});
}

std::vector<crypto::Crl> Revocation::held_lists(const Inquiry& inquiry) {
  std::vector<crypto::Crl> out;
  const auto add = [&](const std::string& uri) {
    if (const Place& place = list_place({inquiry.question.vrf, uri}, inquiry.question.issuer); place.list) out.push_back(*place.list);
  };
  for (const std::string& uri : inquiry.all_lists) add(uri);
  for (const std::string& uri : inquiry.deltas) add(uri);
  for (const std::string& uri : inquiry.tried_deltas) add(uri);
  return out;
}

bool Revocation::resting(const Place& place) const { return !place.failure.empty() && clock_() < place.last_failure + kFailurePause; }

// False: there is none left to ask.
bool Revocation::next_responder(const InquiryPtr& inquiry) {
  while (!inquiry->responders.empty()) {
    const std::string uri = inquiry->responders.front();
    inquiry->responders.erase(inquiry->responders.begin());
    const Source source{inquiry->question.vrf, uri};
    Place& place = place_in(places_, source);
    place.issuer = inquiry->question.issuer;
    place.responder = true;
    if (resting(place)) {
      inquiry->add_gap(uri, place.failure);
      continue;
    }
    Bytes request = crypto::make_ocsp_request(inquiry->question.certificate, inquiry->question.issuer);
    const Question& question = inquiry->question;
    fetch_once(
        "ocsp " + source.vrf + " " + uri + " " + std::string(as_text(question.certificate)),
        {uri, request, kMaxResponse, kFetchTime, inquiry->configured.contains(uri), true, source.vrf},
        [this, source, question, request](Result<Bytes> fetched, const Told& judged) {
          judged(keep_answer(source, question, request, std::move(fetched)));
        },
        [this, inquiry, uri](const std::string& wrong) {
          if (!wrong.empty()) inquiry->add_gap(uri, wrong);
          step(inquiry);
        });
    return true;
  }
  return false;
}

// False: all of `uris` were tried.
bool Revocation::next_list(const InquiryPtr& inquiry, std::vector<std::string>& uris) {
  while (!uris.empty()) {
    const std::string uri = uris.front();
    uris.erase(uris.begin());
    const Source source{inquiry->question.vrf, uri};
    const Place& place = list_place(source, inquiry->question.issuer);
    if (place.list && current(*place.list, clock_())) continue;
    if (resting(place)) {
      inquiry->add_gap(uri, place.failure);
      continue;
    }
    fetch_once(
        source.vrf + " " + uri, {uri, {}, kMaxList, kFetchTime, inquiry->configured.contains(uri), true, source.vrf},
        [this, source, issuer = inquiry->question.issuer](Result<Bytes> fetched, Told judged) {
          take_list(source, issuer, std::move(fetched), std::move(judged));
        },
        [this, inquiry, uri](const std::string& wrong) {
          if (!wrong.empty()) inquiry->add_gap(uri, wrong);
          step(inquiry);
        });
    return true;
  }
  return false;
}

void Revocation::fetch_once(const std::string& key, model::Fetch what, Take take, Told told) {
  auto& waiting = under_way_[key];
  waiting.push_back(std::move(told));
  if (waiting.size() > 1) return;
  fetcher_.fetch(std::move(what), [this, key, take = std::move(take), alive = std::weak_ptr(alive_)](Result<Bytes> fetched) {
    if (alive.expired()) return;
    take(std::move(fetched), [this, key, alive](const std::string& wrong) {
      if (alive.expired()) return;
      const auto all = under_way_.extract(key);
      for (const Told& one : all.mapped()) one(wrong);
    });
  });
}

// --- keeping ----------------------------------------------------------------------------------------------------------------

void Revocation::note_failure(const Source& source, Place& place, std::string why) {
  place.failure = std::move(why);
  place.last_failure = clock_();
  if (log_) log_({Subsystem::Daemon, 1, {}, "revocation: " + source.to_string() + ": " + place.failure});
}

std::string Revocation::keep_answer(const Source& source, const Question& question, ByteView request, Result<Bytes> fetched) {
  Place& place = place_in(places_, source);
  if (!fetched) {
    note_failure(source, place, fetched.error().message);
    return place.failure;
  }
  place.failure.clear();
  const sys_seconds now = clock_();
  const Finding finding = crypto::ask_ocsp(*fetched, request, question.certificate, question.issuer, now);
  if (finding.standing == Standing::Unknown) {
    // of this certificate: the next one is asked about
    place.last_failure = now;
    if (log_) log_({Subsystem::Daemon, 1, {}, "revocation: " + source.to_string() + ": " + finding.why});
    return finding.why;
  }
  place.last_success = now;
  if (answers_.size() >= kMostAnswers) {
    std::erase_if(answers_, [&](const auto& one) { return one.second.until < now; });
    if (answers_.size() >= kMostAnswers) answers_.erase(answers_.begin());
  }
  answers_[question.certificate] = {std::move(*fetched), finding.until.value_or(now + kFailurePause)};
  return {};
}

// Reads what came, and writes it where it is kept, in the background.
void Revocation::take_list(const Source& source, Bytes issuer, Result<Bytes> fetched, Told judged) {
  const auto taken = std::make_shared<TakenList>();
  auto work = [taken, issuer, fetched = std::move(fetched), held = list_place(source, issuer).list, now = clock_(), cache = cache_,
               file = file_of(source)] {
    if (!fetched) return void(taken->list = fail(fetched.error()));
    taken->list = crypto::Crl::read(*fetched);
    if (const Status right = taken->list ? taken->list->signed_by(issuer) : Status(fail(taken->list.error())); !right) {
      taken->list = peer_error("what it has " + right.error().message);
      return;
    }
    // a server, or who stands between, cannot bring back what was revoked meanwhile
    if (held && held->newer_than(*taken->list)) {
      taken->list = peer_error("what it has is older than what it had before");
      return;
    }
    if (cache.empty() || !current(*taken->list, now)) return;
    thin_out(cache);
    taken->written = replace_file(cache, file, as_text(taken->list->der()));
  };
  background_(std::move(work), [this, alive = std::weak_ptr(alive_), source, issuer, taken, judged = std::move(judged)] {
    if (!alive.expired()) judged(keep_list(source, issuer, std::move(*taken)));
  });
}

std::string Revocation::keep_list(const Source& source, ByteView issuer, TakenList taken) {
  Place& place = list_place(source, issuer);
  const auto failed = [&](std::string why) {
    note_failure(source, place, std::move(why));
    return place.failure;
  };
  if (!taken.list) return failed(taken.list.error().message);
  place.list = std::move(*taken.list);
  place.last_success = clock_();
  place.failure.clear();
  if (!current(*place.list, clock_())) return failed("its list is out of date");
  if (!taken.written && log_) log_({Subsystem::Daemon, 1, {}, taken.written.error().message});
  return {};
}

Revocation::Place& Revocation::list_place(const Source& source, ByteView issuer) {
  Place& place = place_in(places_, source);
  place.issuer = to_bytes(issuer);
  if (place.on_disk_read || cache_.empty()) return place;
  place.on_disk_read = true;
  const std::string path = cache_ + "/" + file_of(source);
  const auto octets = read_list_file(path);
  if (!octets) return place;  // most often: it is not there
  const auto list = crypto::Crl::read(*octets);
  const Status right = list ? list->signed_by(issuer) : Status(fail(list.error()));
  if (right) {
    place.list = *list;
  } else {
    if (log_) log_({Subsystem::Daemon, 1, {}, path + " " + right.error().message + ": it is thrown away"});
    ::unlink(path.c_str());
  }
  return place;
}

std::string Revocation::Source::to_string() const { return (vrf == model::kMainVrf ? "" : "vrf " + vrf + ": ") + printable(uri, 200); }

std::string Revocation::file_of(const Source& source) {
  return RunningFile::digest(source.vrf == model::kMainVrf ? source.uri : source.vrf + " " + source.uri) + ".crl";
}

std::vector<model::RevocationState> Revocation::states(const std::string& vrf, const model::Authority& authority) const {
  std::vector<model::RevocationState> out;
  std::set<std::string> lists, responders(authority.ocsp_uris.begin(), authority.ocsp_uris.end());
  for (const std::string& uri : authority.crl_uris) lists.insert(whole_uri(uri, authority.der));
  std::set<std::string> all = responders;
  all.insert(lists.begin(), lists.end());
  for (const auto& [source, place] : places_) {
    if (source.vrf == vrf && place.issuer == authority.der) all.insert(source.uri);
  }
  for (const std::string& uri : all) {
    model::RevocationState state;
    state.uri = uri;
    const auto found = places_.find({vrf, uri});
    state.ocsp = found == places_.end() ? responders.contains(uri) : found->second.responder;
    if (found != places_.end()) {
      const Place& place = found->second;
      if (place.list) {
        state.held = true;
        state.number = place.list->number();
        state.delta = place.list->is_delta();
        state.this_update = place.list->this_update();
        state.next_update = place.list->next_update();
        state.entries = place.list->entries();
      }
      if (place.last_success != sys_seconds{}) state.last_answer = place.last_success;
      if (!place.failure.empty()) {
        state.last_failure = place.last_failure;
        state.failure = place.failure;
      }
    }
    out.push_back(std::move(state));
  }
  return out;
}

void Revocation::flush(bool lists, bool responses) {
  if (responses) answers_.clear();
  std::error_code error;
  for (auto& [source, place] : places_) {
    place.failure.clear();
    if (lists) place.list.reset();
  }
  if (!lists || cache_.empty()) return;
  for (const auto& entry : std::filesystem::directory_iterator(cache_, error)) {
    if (entry.path().extension() == ".crl") std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace svti::engine
