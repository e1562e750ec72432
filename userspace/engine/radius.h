// SPDX-License-Identifier: Apache-2.0
// The RADIUS servers of one VRF: sockets and timers around radius::Client, the sessions that they have accepted, accounting of these, and
// what servers ask for (RFC 5176). In the thread of the event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/entropy.h"
#include "model/network.h"
#include "model/state.h"
#include "radius/accounting.h"
#include "radius/client.h"
#include "radius/dynamic_authorization.h"
#include "sa/effects.h"

namespace svti::engine {

class Radius {
 public:
  // What it works with. All of it outlives the object.
  struct Host {
    boost::asio::io_context& loop;
    Entropy& entropy;
    model::OpenPlainSocket open;  // may be empty: then no server can be asked
    std::function<TimePoint()> now;
    std::function<void(LogLevel, std::string)> log;
    // called from the event loop, never from inside a method
    std::function<void(const sa::Ticket&, radius::EapAnswer)> answered;
    std::function<std::optional<model::IkeSaState>(std::uint32_t ike)> state;  // with the kernel's counts
    std::function<std::optional<model::SaStatus>(const model::SaId&)> query;
    std::function<bool(std::uint32_t ike)> terminate;                        // false: it is gone
    std::function<bool(std::uint32_t ike, seconds from_now)> limit_session;  // likewise
    // of a host name; `done` is called once, in a turn of its own
    std::function<void(const std::string& host, std::function<void(Result<std::vector<IpAddress>>)> done)> look_up;
  };
  explicit Radius(Host host);

  // null: no servers. What was asked of those before fails; sessions stay.
  void configure(const model::RadiusPtr& configuration);
  void ask(sa::AskRadius question);
  // Each notice of the core, once its effects are carried out.
  void notice(const sa::Notice& notice);
  // This SA is about to be removed from the kernel: what it has carried is asked for a last time.
  void removing(const model::SaId& id);
  std::vector<model::RadiusServerState> state() const;
  std::size_t scheduled() const { return client_ && client_->next_deadline() ? 1 : 0; }

 private:
  struct SaKey {
    std::uint32_t spi = 0;
    wire::ProtocolId protocol{};
    bool inbound = false;
    auto operator<=>(const SaKey&) const = default;
  };
  struct Session {
    radius::Session facts;
    TimePoint began{};
    seconds interim{0};
    std::map<SaKey, radius::Traffic> carried;  // by each SA there is, as last seen
    radius::Traffic closed;                    // by those that are gone
    bool ended_by_server = false;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };
  // accepted, and the IKE SA not yet established
  struct Accepted {
    radius::Session facts;
    seconds interim{0};
    TimePoint at{};
  };

  void carry_out(radius::Client::Effects effects);
  void look_up(std::size_t server);
  void arm_timer();
  void remember(const sa::AskRadius& question, const radius::EapAnswer& answer);
  void begin_session(std::uint32_t ike);
  void end_session(std::uint32_t ike, const std::string& reason);
  void look(std::uint32_t ike, Session& session);
  radius::Traffic total(const Session& session) const;
  void account(radius::AcctStatus status, const Session& session, radius::TerminateCause cause = {});
  void arm_interim(std::uint32_t ike, Session& session);
  void listen();
  void on_dynamic(std::size_t listener, const Endpoint& from, ByteView octets);
  bool carry_out(const radius::DynamicAuthorization::Request& request);

  Host host_;
  model::RadiusPtr configuration_;
  std::shared_ptr<radius::Client> client_;  // shared with nobody: who looks up a name knows by it whether it is still the same
  std::map<radius::Client::Socket, std::unique_ptr<model::PlainSocket>> sockets_;
  boost::asio::steady_timer timer_;
  std::map<std::uint64_t, sa::AskRadius> asked_;  // by the client's number
  std::map<std::uint32_t, Accepted> accepted_;    // by IKE SA
  std::map<std::uint32_t, Session> sessions_;
  std::unique_ptr<radius::DynamicAuthorization> dynamic_;
  std::vector<std::unique_ptr<model::PlainSocket>> listeners_;
  bool announced_ = false;  // Accounting-On was sent
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace svti::engine
