// SPDX-License-Identifier: Apache-2.0
// Five sockets. Requests and their answers have one for each protocol, without blocking; events have one for each protocol, so
// that a flood of events cannot displace an answer; blocking questions have one for each protocol, opened when first needed.
#include "kernel/netlink_kernel.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/device_features.h"
#include "base/secret.h"
#include "kernel/netlink_message.h"
#include "kernel/netlink_socket.h"
#include "kernel/route_message.h"
#include "kernel/xfrm_message.h"

namespace svti::kernel {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kBatchOctets = 32 * 1024;   // a send must fit the socket's send buffer, 208 KiB by default
constexpr std::size_t kMessageOctets = 4 * 1024;  // no request is larger
constexpr int kDatagramsPerTurn = 64;
constexpr int kDatagramsToCatchUp = 4096;
constexpr auto kRetryDelay = std::chrono::milliseconds(20);
constexpr int kLoopback = 1;  // ifindex of lo, in every namespace
constexpr auto kPathPause = std::chrono::milliseconds(200);
constexpr auto kOffloadPause = std::chrono::milliseconds(200);
constexpr int kDoubts = 10;  // looks, kOffloadPause apart, at an SA whose device went down
constexpr const char* kAcquireTimeoutFile = "/proc/sys/net/core/xfrm_acq_expires";

bool is_transient(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

bool is_delete(const model::KernelRequest& request) {
  return std::holds_alternative<model::DeleteSa>(request) || std::holds_alternative<model::DeletePolicy>(request) ||
         std::holds_alternative<model::DeleteRoute>(request) || std::holds_alternative<model::DeleteRule>(request) ||
         std::holds_alternative<model::DeleteAddress>(request);
}

bool is_xfrm(const model::KernelRequest& request) {
  return std::holds_alternative<model::AddSa>(request) || std::holds_alternative<model::DeleteSa>(request) ||
         std::holds_alternative<model::MoveSa>(request) || std::holds_alternative<model::SetPolicy>(request) ||
         std::holds_alternative<model::DeletePolicy>(request) || std::holds_alternative<model::SetPolicyHash>(request);
}

// Such a request looks at what the ones before it left, so those must have been sent.
bool looks_first(const model::KernelRequest& request) {
  const auto* sa = std::get_if<model::AddSa>(&request);
  if (sa != nullptr && sa->offload != model::HwOffload::No) return true;
  return std::holds_alternative<model::AddRule>(request) || std::holds_alternative<model::DeleteRule>(request) ||
         std::holds_alternative<model::AddAddress>(request) || std::holds_alternative<model::DeleteAddress>(request) ||
         std::holds_alternative<model::SetAcquireTimeout>(request);
}

// It looks as well, at one SA, which other moves leave alone: those of a CHILD SA travel together, for a gap as short as can be.
bool is_move(const model::KernelRequest& request) { return std::holds_alternative<model::MoveSa>(request); }

void wipe_keys(model::KernelRequest& request) {
  if (auto* sa = std::get_if<model::AddSa>(&request)) {
    sa->encryption_key.wipe();
    sa->integrity_key.wipe();
  }
}

// A file of /proc/sys/net, which shows the namespace of whoever opens it: so it is opened once, where the kernel adapter is created.
class NetworkSetting {
 public:
  explicit NetworkSetting(const char* path) : path_(path), fd_(::open(path, O_WRONLY | O_CLOEXEC)), error_(fd_ < 0 ? errno : 0) {}
  NetworkSetting(const NetworkSetting&) = delete;
  NetworkSetting& operator=(const NetworkSetting&) = delete;
  ~NetworkSetting() {
    if (fd_ >= 0) ::close(fd_);
  }
  Status write(const std::string& text) const {
    if (fd_ < 0) return system_error(std::string("cannot open ") + path_ + ": " + to_string(Ack{error_, {}}));
    if (::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) return {};
    return system_error(std::string("cannot write ") + path_ + ": " + to_string(Ack{errno, {}}));
  }

 private:
  const char* path_;
  int fd_;
  int error_;
};

}  // namespace

class NetlinkKernel::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, LogSink log) : loop_(loop), log_(std::move(log)), retry_(loop), path_pause_(loop), offload_pause_(loop) {}
  ~Impl();

  Status open();
  void submit(model::KernelRequest request, Done done);
  void flush();
  Result<model::KernelInventory> inventory();
  Result<model::SaStatus> query(const model::SaId& id);
  Result<IpAddress> source_address(const IpAddress& destination);
  Result<std::vector<IpAddress>> local_addresses();
  void set_events(model::KernelEvents* events) { events_ = events; }

 private:
  // A socket on the loop. Pinned: the descriptor only borrows the file descriptor.
  struct Watched {
    Watched(asio::io_context& loop, NetlinkSocket opened) : socket(std::move(opened)), descriptor(loop, socket.fd()) {}
    ~Watched() { descriptor.release(); }

    NetlinkSocket socket;
    asio::posix::stream_descriptor descriptor;
  };
  struct Pending {
    model::KernelRequest request;
    Done done;
  };
  struct Requests {
    std::unique_ptr<Watched> channel;
    std::unordered_map<std::uint32_t, Pending> unanswered;  // by sequence number
    bool lost_answers = false;
  };
  // An SA that was asked to be offloaded, for as long as the kernel has it.
  struct Wished {
    IpAddress peer;                                 // the device of the route to it is asked
    int tried = 0;                                  // ifindex of the device that was asked last; 0: none
    int device = 0;                                 // ifindex of the one that took it; 0: none
    model::Offload offload = model::Offload::None;  // what it does
    std::string reason;                             // why there is none
    int doubts = 0;                                 // how often to look whether the kernel still has it, and there
    bool lost = false;                              // the kernel has removed it with its device
  };
  struct Device {
    std::string name;
    bool up = false;
  };
  struct Svti {
    std::uint32_t id = 0;
    bool up = false;

    bool operator==(const Svti&) const = default;
  };

  using Reader = void (Impl::*)();
  void watch(Watched& watched, Reader reader);

  bool send_next();
  Result<std::optional<Bytes>> prepare(const model::KernelRequest& request);
  Result<Bytes> prepare_move(const model::MoveSa& request);
  Result<std::optional<Bytes>> prepare_sa(const model::AddSa& request);
  Result<std::string> offload_to(const model::AddSa& request, int device, Wished& wished);
  Result<int> device_to(const IpAddress& peer);
  Result<OffloadAnswer> offload_of(const model::SaId& id);
  bool can_offload(int device) const;
  std::string name_of(int device) const;
  void doubt(int device);
  void reconsider_later();
  void reconsider();
  Result<std::optional<Bytes>> prepare_route(const model::AddRoute& request);
  Result<std::optional<Bytes>> prepare_route(const model::DeleteRoute& request);
  Result<std::optional<Bytes>> prepare_address(const model::KernelRequest& request);
  Result<std::vector<AddressAnswer>> addresses();
  Result<bool> has_rule(const model::RuleId& id);
  void finish_later(Pending pending, Status status);
  void send_later();

  void read_xfrm_answers() { read_answers(xfrm_requests_); }
  void read_route_answers() { read_answers(route_requests_); }
  void read_answers(Requests& requests);
  void answered(Requests& requests, const MessageView& message);
  void give_up_unanswered(Requests& requests, const std::string& why);

  void read_xfrm_events();
  void dispatch(const XfrmEvent& event);
  void read_link_events();
  void read_path_events();
  void drain_link_events(int datagrams);
  void tell_of_paths();
  void learn(const LinkAnswer& link);
  Status reload_links();
  const std::pair<const int, Svti>* find_svti(std::uint32_t id) const;  // null: none

  Status ask(std::optional<NetlinkSocket>& socket, Bytes request, const std::function<void()>& restart,
             const std::function<Status(const MessageView&)>& visit);
  void log(LogLevel level, std::string text) const { log_({Subsystem::Kernel, level, {}, std::move(text)}); }
  // runs `event` from the loop, unless the kernel or its events' receiver are gone by then
  void emit(std::function<void(model::KernelEvents&)> event);

  asio::io_context& loop_;
  LogSink log_;
  model::KernelEvents* events_ = nullptr;

  std::deque<Pending> queue_;
  Requests xfrm_requests_;
  Requests route_requests_;
  std::uint32_t sequence_ = 0;
  std::uint32_t owner_number_ = 0;
  Bytes batch_;
  bool flush_posted_ = false;
  bool retrying_ = false;
  asio::steady_timer retry_;

  std::unique_ptr<Watched> xfrm_events_;
  std::unique_ptr<Watched> link_events_;
  std::unique_ptr<Watched> path_events_;
  asio::steady_timer path_pause_;
  bool paths_changed_ = false;
  NetworkSetting acquire_timeout_{kAcquireTimeoutFile};
  std::optional<NetlinkSocket> xfrm_questions_;
  std::optional<NetlinkSocket> route_questions_;
  std::set<int> silent_links_;  // ifindexes of links, SVTIs aside, over which nothing goes
  std::map<model::SaId, Wished> wished_;
  asio::steady_timer offload_pause_;
  bool offload_doubtful_ = false;                      // offload_pause_ runs
  std::map<int, Device> devices_;                      // all interfaces, by ifindex
  std::map<int, Svti> svtis_;                          // by ifindex
  std::unordered_map<std::uint32_t, int> ifindex_of_;  // by svti-id, which is unique within a link namespace
};

// ---- set-up

Status NetlinkKernel::Impl::open() {
  const auto watched = [this](int protocol, std::initializer_list<int> groups) -> Result<std::unique_ptr<Watched>> {
    auto socket = NetlinkSocket::open(protocol, NetlinkSocket::Waiting::NonBlocking, groups);
    if (!socket) return fail(socket.error());
    return std::make_unique<Watched>(loop_, std::move(*socket));
  };
  auto xfrm_requests = watched(NETLINK_XFRM, {});
  if (!xfrm_requests) return fail(xfrm_requests.error());
  auto route_requests = watched(NETLINK_ROUTE, {});
  if (!route_requests) return fail(route_requests.error());
  // While somebody listens for acquires the kernel keeps packets waiting for an SA instead of refusing them.
  auto xfrm_events = watched(NETLINK_XFRM, {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING});
  if (!xfrm_events) return fail(xfrm_events.error());
  auto link_events = watched(NETLINK_ROUTE, {RTNLGRP_LINK});
  if (!link_events) return fail(link_events.error());
  auto path_events = watched(NETLINK_ROUTE, {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE});
  if (!path_events) return fail(path_events.error());

  // Now, not when they are needed: the thread may be in another namespace then.
  for (const auto& [protocol, questions] : {std::pair(NETLINK_XFRM, &xfrm_questions_), std::pair(NETLINK_ROUTE, &route_questions_)}) {
    auto opened = NetlinkSocket::open(protocol, NetlinkSocket::Waiting::Blocking);
    if (!opened) return fail(opened.error());
    *questions = std::move(*opened);
  }

  xfrm_requests_.channel = std::move(*xfrm_requests);
  route_requests_.channel = std::move(*route_requests);
  xfrm_events_ = std::move(*xfrm_events);
  link_events_ = std::move(*link_events);
  path_events_ = std::move(*path_events);
  batch_.reserve(kBatchOctets + kMessageOctets);  // never reallocated: it holds keys
  owner_number_ = static_cast<std::uint32_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  // Listening began before: what changes during the dump is told again.
  if (Status status = reload_links(); !status) return status;
  watch(*xfrm_requests_.channel, &Impl::read_xfrm_answers);
  watch(*route_requests_.channel, &Impl::read_route_answers);
  watch(*xfrm_events_, &Impl::read_xfrm_events);
  watch(*link_events_, &Impl::read_link_events);
  watch(*path_events_, &Impl::read_path_events);
  return {};
}

NetlinkKernel::Impl::~Impl() { wipe(batch_); }

// Calls `reader` when there is something to read, for as long as the kernel lives. A reader reads a bounded amount: what is left
// wakes it again, since async_wait() is level-triggered.
void NetlinkKernel::Impl::watch(Watched& watched, Reader reader) {
  watched.descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                [weak = weak_from_this(), &watched, reader](const boost::system::error_code& error) {
                                  const auto self = weak.lock();
                                  if (!self || error) return;
                                  ((*self).*reader)();
                                  self->watch(watched, reader);
                                });
}

// ---- requests

void NetlinkKernel::Impl::submit(model::KernelRequest request, Done done) {
  queue_.push_back({std::move(request), std::move(done)});
  send_later();
}

void NetlinkKernel::Impl::send_later() {
  if (flush_posted_) return;
  flush_posted_ = true;
  asio::post(loop_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->flush_posted_ = false;
    self->flush();
  });
}

void NetlinkKernel::Impl::flush() {
  while (!retrying_ && send_next()) {
  }
}

// Sends one batch, of as many requests as are next in the queue for one socket, or settles the next request without the kernel.
// False: nothing more to do now.
bool NetlinkKernel::Impl::send_next() {
  batch_.clear();
  Requests* target = nullptr;
  std::size_t count = 0;
  const std::size_t room = kWindow - std::min(kWindow, xfrm_requests_.unanswered.size() + route_requests_.unanswered.size());
  while (count < queue_.size() && count < room && batch_.size() < kBatchOctets) {
    const model::KernelRequest& request = queue_[count].request;
    Requests* const wanted = is_xfrm(request) ? &xfrm_requests_ : &route_requests_;
    if (count > 0 && (wanted != target || looks_first(request) || (is_move(request) && !is_move(queue_[count - 1].request)))) break;
    auto message = prepare(request);
    if (!message || !*message) {
      if (count > 0) break;
      Pending settled = std::move(queue_.front());
      queue_.pop_front();
      finish_later(std::move(settled), message ? Status{} : Status(fail(message.error())));
      return true;
    }
    target = wanted;
    ++count;
    set_sequence(**message, sequence_ + static_cast<std::uint32_t>(count));
    batch_.insert(batch_.end(), (*message)->begin(), (*message)->end());
    wipe(**message);
  }
  if (count == 0) return false;

  const int error = target->channel->socket.send(batch_);
  wipe(batch_);
  if (is_transient(error)) {  // none of them was taken; they are prepared anew
    retrying_ = true;
    retry_.expires_after(kRetryDelay);
    retry_.async_wait([weak = weak_from_this()](const boost::system::error_code&) {
      const auto self = weak.lock();
      if (!self) return;
      self->retrying_ = false;
      self->flush();
    });
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    Pending sent = std::move(queue_.front());
    queue_.pop_front();
    wipe_keys(sent.request);
    ++sequence_;
    if (error == 0) {
      target->unanswered.emplace(sequence_, std::move(sent));
    } else {
      finish_later(std::move(sent), system_error("cannot send to the kernel: " + to_string(Ack{error, {}})));
    }
  }
  return true;
}

// The message for a request; none when it is done without one.
Result<std::optional<Bytes>> NetlinkKernel::Impl::prepare(const model::KernelRequest& request) {
  const auto some = [](Result<Bytes> message) -> Result<std::optional<Bytes>> {
    if (!message) return fail(message.error());
    return std::optional<Bytes>(std::move(*message));
  };
  if (const auto* sa = std::get_if<model::AddSa>(&request)) return prepare_sa(*sa);
  if (const auto* sa = std::get_if<model::DeleteSa>(&request)) {
    wished_.erase(sa->id);
    return some(encode(*sa));
  }
  if (const auto* move = std::get_if<model::MoveSa>(&request)) return some(prepare_move(*move));
  if (const auto* policy = std::get_if<model::SetPolicy>(&request)) {
    return some(encode(*policy, make_owner_index(owner_number_++, policy->id.direction)));
  }
  if (const auto* policy = std::get_if<model::DeletePolicy>(&request)) return some(encode(*policy));
  if (const auto* hash = std::get_if<model::SetPolicyHash>(&request)) return some(encode(*hash));
  if (const auto* route = std::get_if<model::AddRoute>(&request)) return prepare_route(*route);
  if (const auto* route = std::get_if<model::DeleteRoute>(&request)) return prepare_route(*route);
  if (const auto* timeout = std::get_if<model::SetAcquireTimeout>(&request)) {
    Status written = acquire_timeout_.write(std::to_string(timeout->value.count()));
    if (!written) return fail(written.error());
    return std::nullopt;
  }
  const bool address = std::holds_alternative<model::AddAddress>(request) || std::holds_alternative<model::DeleteAddress>(request);
  if (address) return prepare_address(request);
  // The kernel takes a second rule like the first, or, asked to be exclusive, finds a stranger's rule in the way of ours: so look.
  const bool add = std::holds_alternative<model::AddRule>(request);
  const model::RuleId& id = add ? std::get<model::AddRule>(request).id : std::get<model::DeleteRule>(request).id;
  const auto present = has_rule(id);
  if (!present) return fail(present.error());
  if (*present == add) return std::nullopt;
  return some(add ? encode(std::get<model::AddRule>(request)) : encode(std::get<model::DeleteRule>(request)));
}

Result<Bytes> NetlinkKernel::Impl::prepare_move(const model::MoveSa& request) {
  Result<Bytes> out = system_error("the kernel said nothing about it");
  const Status status = ask(
      xfrm_questions_, encode_get_sa(request.id), [] {},
      [&](const MessageView& message) -> Status {
        out = encode(request, message);
        return {};
      });
  if (!status) return fail(status.error());
  if (auto wished = wished_.extract(request.id)) {
    Wished& moved = wished.mapped();
    moved.peer = moved.peer == request.id.destination ? request.destination : request.source;
    moved.doubts = kDoubts;
    wished.key().destination = request.destination;
    wished_.insert(std::move(wished));
    reconsider_later();
  }
  return out;
}

// ---- offload

// The message for an SA; none when a device took it, and the kernel has it with that.
Result<std::optional<Bytes>> NetlinkKernel::Impl::prepare_sa(const model::AddSa& request) {
  const auto in_software = [&]() -> Result<std::optional<Bytes>> {
    auto message = encode(request);
    if (!message) return fail(message.error());
    return std::optional<Bytes>(std::move(*message));
  };
  if (request.offload == model::HwOffload::No) return in_software();
  if (request.offload == model::HwOffload::Packet) return system_error("packet offload is refused: it may send in clear");

  drain_link_events(kDatagramsToCatchUp);
  Wished wished;
  wished.peer = request.direction == model::Direction::In ? request.source : request.id.destination;
  if (const auto device = device_to(wished.peer); !device) {
    wished.reason = device.error().message;
  } else if (!can_offload(*device)) {
    wished.reason = name_of(*device) + " has no esp-hw-offload";
  } else if (request.direction == model::Direction::In && request.encapsulation) {
    // What the device has decrypted comes to the socket of IKE with its SA on it, and the policy that exempts the socket demands that there
    // is none.
    wished.tried = *device;
    wished.reason = "of ESP in UDP Linux lets nothing through that a device has decrypted";
  } else {
    const auto refused = offload_to(request, *device, wished);
    if (!refused) return fail(refused.error());
    wished.reason = *refused;
  }
  const bool taken = wished.device != 0;
  if (!taken && request.offload == model::HwOffload::Crypto) return system_error("not offloaded: " + wished.reason);
  if (!taken) log(1, "SA " + model::describe(request.id) + ": not offloaded: " + wished.reason);
  wished_.insert_or_assign(request.id, std::move(wished));
  return taken ? std::optional<Bytes>() : in_software();
}

// Adds the SA to the kernel and `device`. The reason why it is not there, empty when it is. Error: it can be added nowhere.
Result<std::string> NetlinkKernel::Impl::offload_to(const model::AddSa& request, int device, Wished& wished) {
  auto message = encode(request, device);
  if (!message) return fail(message.error());
  wished.tried = device;
  // Answered at once, unlike what is in a batch: in software it is added before the request that comes next.
  const Status added = ask(
      xfrm_questions_, std::move(*message), [] {}, [](const MessageView&) -> Status { return {}; });
  if (!added) return name_of(device) + ": " + added.error().message;
  const auto answer = offload_of(request.id);
  if (!answer) return fail(answer.error());
  if (answer->device == device) {
    wished.device = device;
    wished.offload = answer->offload;
    return std::string();
  }
  // The kernel goes on in software by itself when a driver "does not support" the SA, and does not say so.
  Status removed = ask(
      xfrm_questions_, encode(model::DeleteSa{request.id}), [] {}, [](const MessageView&) -> Status { return {}; });
  if (!removed) return fail(removed.error());
  return name_of(device) + " does not support it, without a word why";
}

Result<int> NetlinkKernel::Impl::device_to(const IpAddress& peer) {
  Result<int> out = system_error("the kernel said nothing");
  const Status status = ask(
      route_questions_, encode_get_route(peer), [] {},
      [&](const MessageView& message) -> Status {
        out = decode_route_device(message);
        return {};
      });
  if (status && out) return out;
  return system_error("no way to " + peer.to_string() + ": " + (status ? out.error().message : status.error().message));
}

Result<OffloadAnswer> NetlinkKernel::Impl::offload_of(const model::SaId& id) {
  Result<OffloadAnswer> out = system_error("the kernel said nothing about it");
  const Status status = ask(
      xfrm_questions_, encode_get_sa(id), [] {},
      [&](const MessageView& message) -> Status {
        out = decode_offload(message);
        return {};
      });
  if (!status) return fail(status.error());
  return out;
}

bool NetlinkKernel::Impl::can_offload(int device) const {
  const auto known = devices_.find(device);
  if (known == devices_.end() || !known->second.up) return false;
  const auto features = esp_features(route_questions_->fd(), known->second.name);
  return features && features->hw_offload;
}

std::string NetlinkKernel::Impl::name_of(int device) const {
  const auto known = devices_.find(device);
  return known == devices_.end() ? "interface " + std::to_string(device) : known->second.name;
}

// A device that goes down, or goes, takes its SAs with it; the kernel says nothing, and does it after it told of the device.
void NetlinkKernel::Impl::doubt(int device) {
  for (auto& [id, wished] : wished_) {
    if (wished.device == device) wished.doubts = kDoubts;
    if (wished.device == 0 && wished.tried == device) wished.tried = 0;  // once it is back it may have room
  }
}

void NetlinkKernel::Impl::reconsider_later() {
  if (offload_doubtful_ || wished_.empty()) return;
  offload_doubtful_ = true;
  offload_pause_.expires_after(kOffloadPause);
  offload_pause_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->offload_doubtful_ = false;
    self->reconsider();
  });
}

// Which SAs are lost, and which may be offloaded now to the device that leads to their peer.
void NetlinkKernel::Impl::reconsider() {
  const auto tell = [this](const model::SaId& id, std::string reason) {
    emit([id, reason = std::move(reason)](model::KernelEvents& events) { events.on_offload(id, reason); });
  };
  bool again = false;
  std::map<IpAddress, int> device_of;  // several SAs have one peer
  for (auto& [id, wished] : wished_) {
    if (wished.lost) continue;
    if (wished.doubts > 0) {
      --wished.doubts;
      const auto answer = offload_of(id);
      if (!answer) {
        wished.lost = true;
        wished.reason = name_of(std::exchange(wished.device, 0)) + " went away, and the kernel removed its SAs";
        wished.offload = model::Offload::None;
        tell(id, wished.reason);
        continue;
      }
      if (answer->device != wished.device) {
        wished.reason = answer->device == 0 ? "it is not with " + name_of(wished.device) + " any more" : "";
        wished.device = answer->device;
        wished.offload = answer->offload;
        wished.tried = answer->device;
        wished.doubts = 0;
      }
      again |= wished.doubts > 0;
    }
    const auto [known, is_new] = device_of.try_emplace(wished.peer, 0);
    if (is_new) {
      const auto device = device_to(wished.peer);
      if (device && can_offload(*device)) known->second = *device;
    }
    const int device = known->second;
    if (device == 0 || device == wished.tried) continue;
    wished.tried = device;
    tell(id, name_of(device) + " leads to the peer and can take it");
  }
  if (again) reconsider_later();
}

// ---- routes, addresses and rules

Result<std::optional<Bytes>> NetlinkKernel::Impl::prepare_route(const model::AddRoute& request) {
  if (request.id.svti_id == 0) return std::optional<Bytes>(encode(request, 0));
  const auto* svti = find_svti(request.id.svti_id);
  if (svti == nullptr || !svti->second.up) {  // it may just have come
    drain_link_events(kDatagramsToCatchUp);
    svti = find_svti(request.id.svti_id);
  }
  if (svti == nullptr) return system_error("no interface with svti-id " + std::to_string(request.id.svti_id));
  if (!svti->second.up) return system_error("the interface with svti-id " + std::to_string(request.id.svti_id) + " is down");
  return std::optional<Bytes>(encode(request, svti->first));
}

Result<std::optional<Bytes>> NetlinkKernel::Impl::prepare_route(const model::DeleteRoute& request) {
  if (request.id.svti_id == 0 || request.id.svti_id == kNotAnSvti) return std::optional<Bytes>(encode(request, 0));
  const auto* svti = find_svti(request.id.svti_id);
  if (svti == nullptr) return std::nullopt;  // the kernel removes an interface's routes with it
  return std::optional<Bytes>(encode(request, svti->first));
}

// The kernel compares no protocol, neither of an address that is there already nor of one that is to go: so look whose it is.
Result<std::optional<Bytes>> NetlinkKernel::Impl::prepare_address(const model::KernelRequest& request) {
  const bool add = std::holds_alternative<model::AddAddress>(request);
  const model::AddressId& id = add ? std::get<model::AddAddress>(request).id : std::get<model::DeleteAddress>(request).id;
  int ifindex = kLoopback;
  if (id.svti_id != 0) {
    if (find_svti(id.svti_id) == nullptr) drain_link_events(kDatagramsToCatchUp);  // it may just have come
    const auto* svti = find_svti(id.svti_id);
    if (svti == nullptr && !add) return std::nullopt;  // the kernel removes an interface's addresses with it
    if (svti == nullptr) return system_error("no interface with svti-id " + std::to_string(id.svti_id));
    ifindex = svti->first;
  }
  const auto present = addresses();
  if (!present) return fail(present.error());
  const auto found = std::find_if(present->begin(), present->end(),
                                  [&](const AddressAnswer& one) { return one.address == id.address && one.ifindex == ifindex; });
  if (!add) {
    const bool ours = found != present->end() && found->ours;
    return ours ? std::optional<Bytes>(encode(std::get<model::DeleteAddress>(request), ifindex)) : std::nullopt;
  }
  if (found == present->end()) return std::optional<Bytes>(encode(std::get<model::AddAddress>(request), ifindex));
  if (!found->ours) return system_error("the interface has it already, from somebody else, who keeps it");
  return std::nullopt;
}

Result<std::vector<AddressAnswer>> NetlinkKernel::Impl::addresses() {
  std::vector<AddressAnswer> out;
  const Status status = ask(
      route_questions_, encode_dump_addresses(), [&] { out.clear(); },
      [&](const MessageView& message) -> Status {
        const auto address = decode_address(message);
        if (!address) return fail(address.error());
        if (*address) out.push_back(**address);
        return {};
      });
  if (!status) return system_error("cannot list the addresses: " + status.error().message);
  return out;
}

Result<bool> NetlinkKernel::Impl::has_rule(const model::RuleId& id) {
  bool found = false;
  const Status status = ask(
      route_questions_, encode_dump_rules(id.family), [&] { found = false; },
      [&](const MessageView& message) -> Status {
        const auto rule = decode_rule(message);
        if (!rule) return fail(rule.error());
        if (*rule == id) found = true;
        return {};
      });
  if (!status) return fail(status.error());
  return found;
}

// reports a request's outcome from the loop
void NetlinkKernel::Impl::finish_later(Pending pending, Status status) {
  wipe_keys(pending.request);
  if (!status) status = system_error(model::describe(pending.request) + ": " + status.error().message);
  if (!pending.done) {
    if (!status) log(1, status.error().message);
    return;
  }
  asio::post(loop_, [weak = weak_from_this(), done = std::move(pending.done), status = std::move(status)] {
    if (weak.lock()) done(status);
  });
}

// ---- answers

void NetlinkKernel::Impl::read_answers(Requests& requests) {
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const auto received = requests.channel->socket.receive();
    if (received.error == ENOBUFS) {
      requests.lost_answers = true;
      continue;
    }
    if (received.error == EAGAIN) {
      // Requests are answered before send() returns, so an answer that is not here now was lost.
      if (requests.lost_answers) give_up_unanswered(requests, "the kernel's answer was lost, so it may or may not be done (ENOBUFS)");
      requests.lost_answers = false;
      break;
    }
    if (received.error != 0) {
      give_up_unanswered(requests, "cannot read the kernel's answer: " + to_string(Ack{received.error, {}}));
      break;
    }
    const Status status = for_each_message(received.datagram, [&](const MessageView& message) -> Status {
      if (message.type == NLMSG_ERROR) answered(requests, message);
      return {};
    });
    if (!status) log(1, status.error().message);
  }
  flush();
}

void NetlinkKernel::Impl::answered(Requests& requests, const MessageView& message) {
  const auto found = requests.unanswered.find(message.sequence);
  if (found == requests.unanswered.end()) {
    log(1, "netlink: an answer to no request, sequence number " + std::to_string(message.sequence));
    return;
  }
  Pending pending = std::move(found->second);
  requests.unanswered.erase(found);
  const auto ack = parse_ack(message);
  if (!ack) return finish_later(std::move(pending), fail(ack.error()));
  // What was to go and is gone needs no complaint.
  const bool gone =
      is_delete(pending.request) && (ack->error == ESRCH || ack->error == ENOENT || ack->error == ENODEV || ack->error == EADDRNOTAVAIL);
  if (ack->error == 0 || gone) return finish_later(std::move(pending), {});
  if (const auto* sa = std::get_if<model::AddSa>(&pending.request)) wished_.erase(sa->id);
  finish_later(std::move(pending), system_error(to_string(*ack)));
}

void NetlinkKernel::Impl::give_up_unanswered(Requests& requests, const std::string& why) {
  auto lost = std::exchange(requests.unanswered, {});
  for (auto& [sequence, pending] : lost) finish_later(std::move(pending), system_error(why));
}

// ---- events

void NetlinkKernel::Impl::emit(std::function<void(model::KernelEvents&)> event) {
  asio::post(loop_, [weak = weak_from_this(), event = std::move(event)] {
    const auto self = weak.lock();
    if (self && self->events_ != nullptr) event(*self->events_);
  });
}

void NetlinkKernel::Impl::read_xfrm_events() {
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const auto received = xfrm_events_->socket.receive();
    if (received.error == EAGAIN) return;
    if (received.error == ENOBUFS) {
      log(1, "events of the kernel's IPsec were lost: they come faster than they are read");
      emit([](model::KernelEvents& events) { events.on_overrun(); });
      continue;
    }
    if (received.error != 0) {
      log(1, "cannot read events of the kernel's IPsec: " + to_string(Ack{received.error, {}}));
      return;
    }
    const Status status = for_each_message(received.datagram, [&](const MessageView& message) -> Status {
      const auto event = decode_event(message);
      if (!event) return fail(event.error());
      dispatch(*event);
      return {};
    });
    if (!status) log(1, status.error().message);
  }
}

void NetlinkKernel::Impl::dispatch(const XfrmEvent& event) {
  // Other programs have SAs and policies too.
  if (const auto* acquire = std::get_if<Acquire>(&event); acquire != nullptr && is_ours(acquire->reqid)) {
    emit([acquire = *acquire](model::KernelEvents& events) {
      events.on_acquire(acquire.reqid, acquire.if_id, acquire.source, acquire.destination);
    });
  } else if (const auto* expire = std::get_if<Expire>(&event); expire != nullptr && is_ours(expire->reqid)) {
    if (expire->hard) wished_.erase(expire->id);
    emit([expire = *expire](model::KernelEvents& events) { events.on_expire(expire.id, expire.hard); });
  } else if (const auto* mapping = std::get_if<Mapping>(&event); mapping != nullptr && is_ours(mapping->reqid)) {
    emit([mapping = *mapping](model::KernelEvents& events) { events.on_mapping(mapping.id, mapping.now_from); });
  }
}

void NetlinkKernel::Impl::read_link_events() { drain_link_events(kDatagramsPerTurn); }

// Addresses and routes: what changed does not matter here, only that something did. Told when it has been quiet for a moment.
void NetlinkKernel::Impl::read_path_events() {
  bool changed = false;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const auto received = path_events_->socket.receive();
    if (received.error == EAGAIN) break;
    if (received.error != 0) {
      changed = true;
      if (received.error == ENOBUFS) continue;
      log(1, "cannot read events of addresses and routes: " + to_string(Ack{received.error, {}}));
      break;
    }
    const Status status = for_each_message(received.datagram, [&](const MessageView& message) -> Status {
      changed |= is_path_event(message);
      return {};
    });
    if (!status) log(1, status.error().message);
  }
  if (!changed) return;
  reconsider_later();
  tell_of_paths();
}

void NetlinkKernel::Impl::tell_of_paths() {
  if (paths_changed_) return;
  paths_changed_ = true;
  path_pause_.expires_after(kPathPause);
  path_pause_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->paths_changed_ = false;
    if (self->events_ != nullptr) self->events_->on_paths();
  });
}

// learns from at most `datagrams` of what waits
void NetlinkKernel::Impl::drain_link_events(int datagrams) {
  for (int i = 0; i < datagrams; ++i) {
    const auto received = link_events_->socket.receive();
    if (received.error == EAGAIN) return;
    if (received.error == ENOBUFS) {
      log(1, "events of interfaces were lost: they come faster than they are read");
      if (Status status = reload_links(); !status) log(1, "cannot read the interfaces anew: " + status.error().message);
      emit([](model::KernelEvents& events) { events.on_overrun(); });
      continue;
    }
    if (received.error != 0) {
      log(1, "cannot read events of interfaces: " + to_string(Ack{received.error, {}}));
      return;
    }
    const Status status = for_each_message(received.datagram, [&](const MessageView& message) -> Status {
      const auto link = decode_link(message);
      if (!link) return fail(link.error());
      if (*link) learn(**link);
      return {};
    });
    if (!status) log(1, status.error().message);
  }
}

// The one place that changes what is known of an interface, and of whether it works.
void NetlinkKernel::Impl::learn(const LinkAnswer& link) {
  // IPv4 addresses stay on a link that goes down, and its routes go without a word.
  const bool silent = !link.deleted && link.svti_id == 0 && !link.running;
  const bool changed = silent ? silent_links_.insert(link.ifindex).second : silent_links_.erase(link.ifindex) > 0;
  if (changed && events_ != nullptr) tell_of_paths();
  if (link.deleted) {
    if (devices_.erase(link.ifindex) > 0) doubt(link.ifindex);
  } else {
    Device& device = devices_[link.ifindex];
    if (device.up && !link.up) doubt(link.ifindex);
    device = {link.name, link.up};
  }
  reconsider_later();
  const auto known = svtis_.find(link.ifindex);
  if (link.deleted || link.svti_id == 0) {
    if (known == svtis_.end()) return;
    const std::uint32_t id = known->second.id;
    svtis_.erase(known);
    if (const auto of_id = ifindex_of_.find(id); of_id != ifindex_of_.end() && of_id->second == link.ifindex) ifindex_of_.erase(of_id);
    emit([id](model::KernelEvents& events) { events.on_svti(id, false); });
    return;
  }
  const Svti now{link.svti_id, link.up};
  if (known != svtis_.end() && known->second == now) return;
  svtis_[link.ifindex] = now;
  ifindex_of_[link.svti_id] = link.ifindex;
  emit([now](model::KernelEvents& events) { events.on_svti(now.id, now.up); });
}

Status NetlinkKernel::Impl::reload_links() {
  std::map<int, LinkAnswer> found;
  const Status status = ask(
      route_questions_, encode_dump_links(), [&] { found.clear(); },
      [&](const MessageView& message) -> Status {
        const auto link = decode_link(message);
        if (!link) return fail(link.error());
        if (*link) found[(*link)->ifindex] = **link;
        return {};
      });
  if (!status) return status;
  const auto known = devices_;
  for (const auto& [ifindex, device] : known) {
    if (!found.contains(ifindex)) learn({ifindex, {}, 0, false, false, true});
    doubt(ifindex);  // it may have gone down and come back
  }
  for (const auto& [ifindex, link] : found) learn(link);
  return {};
}

const std::pair<const int, NetlinkKernel::Impl::Svti>* NetlinkKernel::Impl::find_svti(std::uint32_t id) const {
  const auto ifindex = ifindex_of_.find(id);
  if (ifindex == ifindex_of_.end()) return nullptr;
  const auto svti = svtis_.find(ifindex->second);
  return svti == svtis_.end() ? nullptr : &*svti;
}

// ---- questions

Status NetlinkKernel::Impl::ask(std::optional<NetlinkSocket>& socket, Bytes request, const std::function<void()>& restart,
                                const std::function<Status(const MessageView&)>& visit) {
  return socket->ask(std::move(request), restart, visit);
}

Result<model::KernelInventory> NetlinkKernel::Impl::inventory() {
  model::KernelInventory out;
  Status status = ask(
      xfrm_questions_, encode_dump_sas(), [&] { out.sas.clear(); },
      [&](const MessageView& message) -> Status {
        const auto sa = decode_sa(message);
        if (!sa) return fail(sa.error());
        if (is_ours(sa->reqid)) out.sas.push_back(*sa);
        return {};
      });
  if (!status) return system_error("cannot list the SAs: " + status.error().message);
  status = ask(
      xfrm_questions_, encode_dump_policies(), [&] { out.policies.clear(); },
      [&](const MessageView& message) -> Status {
        const auto policy = decode_policy(message);
        if (!policy) return fail(policy.error());
        if (*policy && (*policy)->ours) out.policies.push_back((*policy)->status);
        return {};
      });
  if (!status) return system_error("cannot list the policies: " + status.error().message);

  drain_link_events(kDatagramsToCatchUp);
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    std::vector<model::RouteId> routes;
    status = ask(
        route_questions_, encode_dump_routes(family), [&] { routes.clear(); },
        [&](const MessageView& message) -> Status {
          const auto route = decode_route(message);
          if (!route) return fail(route.error());
          if (!*route) return {};
          const auto svti = svtis_.find((*route)->ifindex);
          const std::uint32_t id = (*route)->is_throw ? 0 : svti == svtis_.end() ? kNotAnSvti : svti->second.id;
          routes.push_back({(*route)->destination, (*route)->table, id});
          return {};
        });
    if (!status) return system_error("cannot list the routes: " + status.error().message);
    out.routes.insert(out.routes.end(), routes.begin(), routes.end());

    std::vector<model::RuleId> rules;
    status = ask(
        route_questions_, encode_dump_rules(family), [&] { rules.clear(); },
        [&](const MessageView& message) -> Status {
          const auto rule = decode_rule(message);
          if (!rule) return fail(rule.error());
          if (*rule) rules.push_back(**rule);
          return {};
        });
    if (!status) return system_error("cannot list the rules: " + status.error().message);
    out.rules.insert(out.rules.end(), rules.begin(), rules.end());
  }
  const auto present = addresses();
  if (!present) return fail(present.error());
  for (const AddressAnswer& one : *present) {
    const auto svti = svtis_.find(one.ifindex);
    if (!one.ours || (one.ifindex != kLoopback && svti == svtis_.end())) continue;
    out.addresses.push_back({one.address, one.ifindex == kLoopback ? 0 : svti->second.id});
  }
  return out;
}

Result<model::SaStatus> NetlinkKernel::Impl::query(const model::SaId& id) {
  std::optional<model::SaStatus> out;
  const Status status = ask(
      xfrm_questions_, encode_get_sa(id), [] {},
      [&](const MessageView& message) -> Status {
        const auto sa = decode_sa(message);
        if (!sa) return fail(sa.error());
        out = *sa;
        const auto offload = decode_offload(message);
        if (!offload) return fail(offload.error());
        if (offload->device != 0) out->offload = {offload->offload, name_of(offload->device), {}};
        return {};
      });
  if (const auto wished = wished_.find(id); wished != wished_.end()) {
    if (!status) {  // gone with its device; a rekey is under way, or will be when that is noticed
      out = model::SaStatus{};
      out->id = id;
    }
    const bool noticed = status || wished->second.lost;
    const std::string reason = noticed ? wished->second.reason : "the kernel does not have it any more";
    if (out && !out->offload) out->offload = model::OffloadStatus{model::Offload::None, {}, reason};
    if (out) return *out;
  }
  if (!status) return system_error("cannot ask for SA " + id.destination.to_string() + ": " + status.error().message);
  if (!out) return system_error("the kernel said nothing about SA " + id.destination.to_string());
  return *out;
}

Result<IpAddress> NetlinkKernel::Impl::source_address(const IpAddress& destination) {
  std::optional<IpAddress> out;
  const Status status = ask(
      route_questions_, encode_get_route(destination), [] {},
      [&](const MessageView& message) -> Status {
        const auto source = decode_source_address(message);
        if (!source) return fail(source.error());
        out = *source;
        return {};
      });
  if (!status) return system_error("no way to " + destination.to_string() + ": " + status.error().message);
  if (!out) return system_error("no way to " + destination.to_string());
  return *out;
}

Result<std::vector<IpAddress>> NetlinkKernel::Impl::local_addresses() {
  drain_link_events(kDatagramsToCatchUp);
  const auto present = addresses();
  if (!present) return fail(present.error());
  std::vector<IpAddress> out;
  for (const AddressAnswer& one : *present) {
    // a virtual address, whatever interface it is on, is of the inside
    if (one.usable && !silent_links_.contains(one.ifindex) && !one.ours && !svtis_.contains(one.ifindex)) out.push_back(one.address);
  }
  return out;
}

// ---- the outside

NetlinkKernel::NetlinkKernel(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
NetlinkKernel::~NetlinkKernel() = default;

Result<std::unique_ptr<NetlinkKernel>> NetlinkKernel::create(asio::io_context& loop, LogSink log) {
  auto impl = std::make_shared<Impl>(loop, std::move(log));
  if (Status status = impl->open(); !status) return fail(status.error());
  return std::unique_ptr<NetlinkKernel>(new NetlinkKernel(std::move(impl)));
}

void NetlinkKernel::submit(model::KernelRequest request, Done done) { impl_->submit(std::move(request), std::move(done)); }
void NetlinkKernel::flush() { impl_->flush(); }
Result<model::KernelInventory> NetlinkKernel::inventory() { return impl_->inventory(); }
Result<model::SaStatus> NetlinkKernel::query(const model::SaId& id) { return impl_->query(id); }
Result<IpAddress> NetlinkKernel::source_address(const IpAddress& destination) { return impl_->source_address(destination); }
Result<std::vector<IpAddress>> NetlinkKernel::local_addresses() { return impl_->local_addresses(); }
void NetlinkKernel::set_events(model::KernelEvents* events) { impl_->set_events(events); }

}  // namespace svti::kernel
