// SPDX-License-Identifier: Apache-2.0
#include "signer/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace svti::signer {

namespace {

constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::milliseconds kLongestPause{60'000};

Request to_put(const model::PrivateKey& key) {
  if (!key.sealed.empty()) return PutSealedKey{key.id, key.sealed};
  return PutKey{key.id, key.pkcs8.clone()};
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Client::Client(boost::asio::io_context& loop, Start start, LogSink log)
    : loop_(loop), start_(std::move(start)), log_(std::move(log)), again_(loop), pause_(kFirstPause) {
  begin();
}

Client::~Client() {
  socket_.reset();  // it ends by itself now
  if (started_.process > 0) {
    kill(started_.process, SIGKILL);
    waitpid(started_.process, nullptr, 0);
  }
}

void Client::begin() {
  auto started = start_();
  if (!started) return ended(started.error().message);
  started_ = *started;
  fcntl(started_.socket, F_SETFL, fcntl(started_.socket, F_GETFL) | O_NONBLOCK);
  socket_ = std::make_unique<boost::asio::posix::stream_descriptor>(loop_, started_.socket);
  await_answers();
  put_all();
}

void Client::put_all() {
  for (const auto& [id, key] : keys_) {
    (void)transmit(to_put(*key));
    if (!key->sealed.empty()) try_key(id);
  }
}

// False: it could not be sent, errno says why. The queue of the socket is the bound.
bool Client::transmit(const Request& request) {
  const Secret packet = encode(request);
  if (!socket_ || packet.size() > kMaxPacket) {
    errno = EMSGSIZE;
    return false;
  }
  return send(started_.socket, packet.view().data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(packet.size());
}

void Client::set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) {
  std::map<Bytes, std::shared_ptr<const model::PrivateKey>> wanted;
  for (const auto& key : keys) wanted.emplace(key->id, key);
  for (const auto& [id, key] : keys_) {
    if (!wanted.contains(id)) (void)transmit(RemoveKey{id});
    if (!wanted.contains(id)) problems_.erase(id);
  }
  const auto before = std::exchange(keys_, std::move(wanted));
  for (const auto& [id, key] : keys_) {
    if (before.contains(id)) continue;
    // The signer may be busy, and keys are few: waited for here, rather than kept in a queue of ours.
    if (socket_) fcntl(started_.socket, F_SETFL, fcntl(started_.socket, F_GETFL) & ~O_NONBLOCK);
    const Secret packet = encode(to_put(*key));
    if (socket_ && send(started_.socket, packet.view().data(), packet.size(), MSG_NOSIGNAL) < 0 && log_)
      log_({Subsystem::Daemon, 0, {}, std::string("a private key did not reach the signer: ") + std::strerror(errno)});
    if (socket_) fcntl(started_.socket, F_SETFL, fcntl(started_.socket, F_GETFL) | O_NONBLOCK);
    if (!key->sealed.empty()) try_key(id);
  }
}

// Whether a sealed key can be opened is told before a peer needs it.
void Client::try_key(const Bytes& id) {
  sign({id, Bytes(32), {crypto::SignatureHash::Sha256, crypto::SignatureHash::Identity}, crypto::RsaPadding::Pss},
       [this, id](const Result<crypto::Signature>& signature) {
         const std::string problem = signature ? std::string() : signature.error().message;
         if (!keys_.contains(id) || state(id).problem == problem) return;
         problems_[id] = problem;
         if (!problem.empty() && log_) log_({Subsystem::Daemon, 0, {}, "private key " + to_hex(id) + " cannot sign: " + problem});
       });
}

void Client::sign(auth::SigningRequest request, Done done) {
  if (!socket_) return done(system_error("the signer has ended" + (last_words_.empty() ? "" : ": " + last_words_)));
  if (pending_.size() >= kMostPending) return done(system_error("the signer has too much to do"));
  const std::uint64_t number = next_++;
  if (!transmit(SignOctets{number, std::move(request)})) {
    // It may have died, and the news of that is still to be read.
    if (errno != EPIPE && errno != ECONNRESET) return done(system_error("the signer has too much to do"));
    ended(last_words_);
    return done(system_error("the signer has ended: " + last_words_));
  }
  pending_.emplace(number, std::move(done));
}

auth::KeyState Client::state(const Bytes& key_id) const {
  const auto problem = problems_.find(key_id);
  return {"signer", problem == problems_.end() ? std::string() : problem->second};
}

void Client::await_answers() {
  socket_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                        if (!error && !alive.expired()) on_readable();
                      });
}

void Client::on_readable() {
  Bytes packet(kMaxPacket);
  while (socket_) {
    const ssize_t size = recv(started_.socket, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return await_answers();
    if (size <= 0) return ended(last_words_);
    auto answer = decode_answer(ByteView(packet).first(static_cast<std::size_t>(size)));
    if (!answer) return ended(answer.error().message);
    if (answer->number == 0 && !answer->given) last_words_ = answer->given.error().message;
    const auto asked = pending_.find(answer->number);
    if (asked == pending_.end()) continue;
    pause_ = kFirstPause;  // it works
    last_words_.clear();
    const Done done = std::move(asked->second);
    pending_.erase(asked);
    auto* signature = answer->given ? std::get_if<crypto::Signature>(&*answer->given) : nullptr;
    done(signature       ? Result<crypto::Signature>(std::move(*signature))
         : answer->given ? Result<crypto::Signature>(system_error("the signer gave something else than a signature"))
                         : fail(answer->given.error()));
  }
}

void Client::ended(const std::string& why) {
  socket_.reset();
  std::string how = why;
  if (started_.process > 0) {
    int status = 0;
    kill(started_.process, SIGKILL);
    if (waitpid(started_.process, &status, 0) == started_.process) how += (how.empty() ? "" : "; ") + describe_end(status);
  }
  started_ = {};
  last_words_ = how;
  if (log_) {
    log_({Subsystem::Daemon,
          0,
          {},
          "the signer has ended (" + how + "): nothing can be signed until it is started again, in " + std::to_string(pause_.count()) +
              " ms"});
  }
  for (auto& [number, done] : std::exchange(pending_, {})) done(system_error("the signer has ended: " + how));
  again_.expires_after(pause_);
  pause_ = std::min(pause_ * 2, kLongestPause);
  again_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (!error && !alive.expired()) begin();
  });
}

}  // namespace svti::signer
