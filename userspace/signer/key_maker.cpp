// SPDX-License-Identifier: Apache-2.0
#include "signer/key_maker.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "signer/packet.h"

namespace svti::signer {

KeyMaker::~KeyMaker() { end_process(); }

void KeyMaker::make(auth::NewKeyWish wish, Done done) {
  if (done_) return done(system_error("another key is being made: try again when it is done"));
  auto started = start_();
  if (!started) return done(fail(started.error()));
  started_ = *started;
  done_ = std::move(done);
  socket_ = std::make_unique<boost::asio::posix::stream_descriptor>(loop_, started_.socket);
  const Secret packet = encode(MakeKey{1, std::move(wish)});
  if (send(started_.socket, packet.view().data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return finish(system_error(std::string("the wish did not reach the signer: ") + std::strerror(errno)));
  limit_.expires_after(kLongest);
  limit_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (!error && !alive.expired() && done_)
      finish(system_error("the key was not made within " + std::to_string(kLongest.count()) + " minutes"));
  });
  await_answer();
}

void KeyMaker::await_answer() {
  socket_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                        if (!error && !alive.expired() && done_) on_readable();
                      });
}

void KeyMaker::on_readable() {
  Bytes packet(kMaxPacket);
  const ssize_t size = recv(started_.socket, packet.data(), packet.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return await_answer();
  if (size <= 0) return finish(system_error("the process that was to make the key has ended"));
  auto answer = decode_answer(ByteView(packet).first(static_cast<std::size_t>(size)));
  if (!answer) return finish(fail(answer.error()));
  if (!answer->given) return finish(fail(answer->given.error()));
  auto* made = std::get_if<auth::NewKey>(&*answer->given);
  if (made == nullptr) return finish(system_error("the signer gave something else than a key"));
  finish(std::move(*made));
}

void KeyMaker::finish(Result<auth::NewKey> made) {
  end_process();
  limit_.cancel();
  std::exchange(done_, nullptr)(std::move(made));
}

void KeyMaker::end_process() {
  socket_.reset();
  if (started_.process > 0) {
    kill(started_.process, SIGKILL);
    waitpid(started_.process, nullptr, 0);
  }
  started_ = {};
}

}  // namespace svti::signer
