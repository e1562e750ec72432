// SPDX-License-Identifier: Apache-2.0
#include "signer/token_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace svti::signer {

namespace {

constexpr std::string_view kNotAgain = ": it is not tried again before its file is changed, or the daemon is started again";

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

TokenClient::TokenClient(boost::asio::io_context& loop, Start start, Limits limits, LogSink log)
    : loop_(loop), start_(std::move(start)), limits_(limits), log_(std::move(log)), patience_(loop), pause_(limits.first_pause) {}

TokenClient::~TokenClient() { (void)end_process(); }

// How it ended; empty: there was none.
std::string TokenClient::end_process() {
  patience_.cancel();
  socket_.reset();  // it ends by itself now, unless it hangs
  std::string how;
  if (started_.process > 0) {
    int status = 0;
    // what has ended already keeps its own status
    kill(started_.process, SIGKILL);
    if (waitpid(started_.process, &status, 0) == started_.process) how = describe_end(status);
  }
  started_ = {};
  sent_ = false;
  for (auto& [id, held] : keys_) held.opened = false;
  return how;
}

bool TokenClient::is_refused(const Secret& pin) const {
  return std::any_of(refused_.begin(), refused_.end(), [&](const Secret& one) { return constant_time_equal(one.view(), pin.view()); });
}

void TokenClient::refuse(const Secret& pin) {
  if (pin.empty() || is_refused(pin)) return;
  if (refused_.size() == kMostPins) refused_.erase(refused_.begin());
  refused_.push_back(pin.clone());
}

// --- keys -------------------------------------------------------------------------------------------------------------------

void TokenClient::set_keys(Keys wanted) {
  for (auto at = keys_.begin(); at != keys_.end();) {
    const auto found = wanted.find(at->first);
    if (found != wanted.end() && *found->second == *at->second.key) {
      ++at;
      continue;
    }
    const Secret packet = encode(TokenRequest(RemoveKey{at->first}));
    if (socket_) (void)send(started_.socket, packet.view().data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    at = keys_.erase(at);
  }
  for (auto& [id, key] : wanted) {
    Held& held = keys_[id];
    const bool fresh = held.key == nullptr;
    held.key = std::move(key);
    if (fresh) held.problem = "it is being looked for";
    if (!held.problem.empty() && !held.opening) ask(opening(id, held));
  }
  if (keys_.empty() && pending_.empty()) (void)end_process();
}

void TokenClient::report(Held& held, const std::string& problem) {
  if (problem == held.problem) return;
  held.problem = problem;
  if (!log_) return;
  const std::string where = held.label.empty() ? std::string("its token") : "token " + held.label;
  if (problem.empty()) {
    log_({Subsystem::Daemon, 1, {}, held.key->source + ": the key on " + where + " has signed on trial"});
  } else {
    log_({Subsystem::Daemon, 0, {}, held.key->source + ": cannot be used: " + problem});
  }
}

TokenClient::Pending TokenClient::opening(const Bytes& id, Held& held) {
  held.opening = true;
  Pending out;
  out.number = next_++;
  out.opens = held.key;
  out.packet = encode(TokenRequest(OpenKey{out.number, id, held.key->uri, held.key->pin.clone(), held.key->public_key}));
  out.done = [this, id, key = held.key](Outcome outcome) {
    const auto found = keys_.find(id);
    if (found == keys_.end() || found->second.key != key) return;
    Held& it = found->second;
    it.opening = false;
    if (!outcome) return report(it, outcome.error().message);
    if (const auto* one = std::get_if<auth::TokenKeyFound>(&*outcome)) it.label = one->label;
    it.opened = true;
    report(it, {});
  };
  return out;
}

void TokenClient::sign(auth::SigningRequest request, auth::Signer::Done done) {
  Pending asked;
  asked.number = next_++;
  asked.signs_by = request.key_id;
  asked.packet = encode(TokenRequest(SignOctets{asked.number, std::move(request)}));
  asked.done = [this, id = asked.signs_by, done = std::move(done)](Outcome outcome) {
    if (outcome) {
      if (auto* signature = std::get_if<crypto::Signature>(&*outcome)) return done(std::move(*signature));
      return done(system_error("the token's process answers something else"));
    }
    // why it could not be opened says more
    const auto found = keys_.find(id);
    const bool told = found != keys_.end() && !found->second.problem.empty();
    done(system_error("the key on a token cannot sign: " + (told ? found->second.problem : outcome.error().message)));
  };
  ask(std::move(asked));
}

void TokenClient::find(const std::shared_ptr<const model::TokenKey>& key, auth::Signer::Found done) {
  Pending asked;
  asked.number = next_++;
  asked.opens = key;
  // an id that no key has
  asked.packet = encode(TokenRequest(OpenKey{asked.number, Bytes{0}, key->uri, key->pin.clone(), key->public_key}));
  asked.done = [done = std::move(done)](Outcome outcome) {
    if (!outcome) return done(fail(outcome.error()));
    if (auto* found = std::get_if<auth::TokenKeyFound>(&*outcome)) return done(std::move(*found));
    done(system_error("the token's process answers something else"));
  };
  ask(std::move(asked));
}

std::optional<auth::KeyState> TokenClient::state(const Bytes& id) const {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  return auth::KeyState{found->second.label.empty() ? "token" : "token " + found->second.label, found->second.problem};
}

// --- the process ------------------------------------------------------------------------------------------------------------

void TokenClient::ask(Pending pending) {
  if (pending_.size() >= kMostPending) return pending.done(system_error("the token has too much to do"));
  pending_.push_back(std::move(pending));
  send_next();
}

void TokenClient::fail_first(const std::string& why) {
  const Pending first = std::move(pending_.front());
  pending_.pop_front();
  sent_ = false;
  first.done(system_error(why));
}

void TokenClient::send_next() {
  while (!sent_ && !pending_.empty()) {
    Pending& first = pending_.front();
    const auto held = first.opens ? keys_.end() : keys_.find(first.signs_by);
    if (!first.opens && held == keys_.end()) {
      fail_first("the key is not configured any more");
      continue;
    }
    // a process may have ended since the key was opened, or the token may be back
    if (!first.opens && !held->second.opened && !first.reopened) {
      first.reopened = true;
      pending_.push_front(opening(held->first, held->second));
      continue;
    }
    if (!first.opens && !held->second.opened) {
      fail_first("it could not be opened");
      continue;
    }
    if (first.opens && is_refused(first.opens->pin)) {
      fail_first("the PIN was refused" + std::string(kNotAgain));
      continue;
    }
    if (const Status begun = begin(); !begun) {
      fail_first(begun.error().message);
      continue;
    }
    const ByteView packet = first.packet.view();
    pin_in_flight_ = false;
    if (send(started_.socket, packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(packet.size())) {
      sent_ = true;
      patience_.expires_after(limits_.answer);
      patience_.async_wait([this, alive = std::weak_ptr(alive_), number = first.number](const boost::system::error_code& error) {
        if (error || alive.expired() || !sent_ || pending_.front().number != number) return;
        ended("no answer within " + std::to_string(limits_.answer.count()) + " ms");
      });
      return;
    }
    const std::string why = std::strerror(errno);
    const bool gone = errno == EPIPE || errno == ECONNRESET;
    // It ends by itself after a session that failed, and the news of that is still to be read.
    if (gone) {
      (void)end_process();
      not_before_ = started_at_ + limits_.first_pause;
    }
    if (gone && !first.opens && first.reopened) first.reopened = false;
    if (!gone || std::exchange(first.resent, true)) fail_first("the token's process cannot be asked: " + why);
  }
  if (pending_.empty() && keys_.empty()) (void)end_process();
}

Status TokenClient::begin() {
  if (socket_) return {};
  const auto now = std::chrono::steady_clock::now();
  if (now < not_before_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(not_before_ - now) + std::chrono::milliseconds(1);
    return system_error("the token's process has ended" + (last_words_.empty() ? "" : ": " + last_words_) +
                        "; it is not started again for " + std::to_string(left.count()) + " ms");
  }
  auto started = start_();
  if (!started) return fail(started.error());
  started_ = *started;
  started_at_ = now;
  fcntl(started_.socket, F_SETFL, fcntl(started_.socket, F_GETFL) | O_NONBLOCK);
  socket_ = std::make_unique<boost::asio::posix::stream_descriptor>(loop_, started_.socket);
  await_answers();
  return {};
}

void TokenClient::await_answers() {
  socket_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                        if (!error && !alive.expired() && socket_) on_readable();
                      });
}

void TokenClient::on_readable() {
  Bytes packet(kMaxPacket);
  while (socket_) {
    const ssize_t size = recv(started_.socket, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return await_answers();
    if (size <= 0) return ended(std::exchange(last_words_, {}));
    auto answer = decode_token_answer(ByteView(packet).first(static_cast<std::size_t>(size)));
    if (!answer) return ended(answer.error().message);
    take(std::move(*answer));
  }
}

void TokenClient::take(TokenAnswer answer) {
  if (answer.number == 0 && !answer.result) {
    last_words_ = answer.result.error().message;
    return;
  }
  if (!sent_ || answer.number != pending_.front().number) return ended("it answers what it was not asked");
  if (answer.result && std::holds_alternative<LoginNote>(*answer.result)) {
    pin_in_flight_ = !std::get<LoginNote>(*answer.result).taken;
    return;
  }
  patience_.cancel();
  sent_ = false;
  const Pending first = std::move(pending_.front());
  pending_.pop_front();
  if (answer.pin_refused && first.opens) {
    refuse(first.opens->pin);
    answer.result = fail(Fault::Configuration, answer.result.error().message + std::string(kNotAgain));
  }
  if (answer.result) pause_ = limits_.first_pause;  // it works
  first.done(std::move(answer.result));
  send_next();
}

// By itself, by a signal, or because it did not answer.
void TokenClient::ended(const std::string& why) {
  const bool at_work = sent_;
  if (at_work && pin_in_flight_ && pending_.front().opens) refuse(pending_.front().opens->pin);
  const std::string how = end_process();
  last_words_ = why + (why.empty() || how.empty() ? "" : "; ") + how;
  if (!at_work) {  // after a session that failed
    not_before_ = started_at_ + limits_.first_pause;
    return;
  }
  not_before_ = std::chrono::steady_clock::now() + pause_;
  pause_ = std::min(pause_ * 2, limits_.longest_pause);
  const std::string reason = "the token's process has ended: " + last_words_;
  for (Pending& one : std::exchange(pending_, {})) one.done(system_error(reason));
  for (auto& [id, held] : keys_) report(held, reason);
  send_next();
}

}  // namespace svti::signer
