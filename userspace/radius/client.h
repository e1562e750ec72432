// SPDX-License-Identifier: Apache-2.0
// Requests to RADIUS servers until they are answered, sans-IO: questions, packets and deadlines go in together with `now`, what is to be
// sent and what came of it come out. RFC 2865 2.4 and 2.5 (retransmission, ids), RFC 5080 2.2.1, RFC 2866 5.2 (Acct-Delay-Time), RFC
// 3579 3.2 and CVE-2024-3596 (what is taken for an answer).
//
// A server that does not answer is passed over for kDeadTime, where there are others. A question is asked of one server after the other,
// the alive ones first; one that goes on with what a server began (State) is for that server alone.
//
// A server that has a host name is at the address that was looked up last, until that is no longer among the name's, or does not answer
// while another is. The caller looks up: LookUp comes out, looked_up() goes in. Without an address the server is passed over.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/entropy.h"
#include "base/log.h"
#include "base/time.h"
#include "model/radius.h"
#include "radius/packet.h"

namespace svti::radius {

struct Question {
  Code code = Code::AccessRequest;  // or AccountingRequest
  Attributes attributes;            // without NAS-Identifier and Acct-Delay-Time, which are the server's matter and the time's
  std::string server = {};          // for this one alone; empty: any
};

// A response whose authenticators are right.
struct Reply {
  Bytes octets;        // of good form
  std::string server;  // name
  Secret msk = {};     // of an Access-Accept, from its MS-MPPE keys; empty: it has none. 64 octets at least.

  PacketView view() const { return *parse_packet(octets); }
};

class Client {
 public:
  static constexpr Duration kDeadTime = seconds(60);
  static constexpr Duration kNameTime = seconds(300);  // until a name is looked up again
  static constexpr Duration kNamePause = seconds(30);  // likewise, after a failure
  static constexpr Duration kNameWait = seconds(15);   // that a question waits for a name that was not looked up before

  // Where a packet goes to or came from: the server's place in the configuration, and which of its sockets.
  struct Socket {
    std::size_t server = 0;
    bool accounting = false;
    std::uint16_t number = 0;  // below the server's `sockets`

    auto operator<=>(const Socket&) const = default;
  };
  struct Send {
    Socket socket;
    IpAddress to;
    Bytes packet;
  };
  // The host name of this server is to be looked up, and looked_up() told.
  struct LookUp {
    std::size_t server = 0;
  };
  // The addresses that its name has now. `moved`: it is asked at another one from now on, and what its sockets receive is no answer any
  // more.
  struct Addresses {
    std::size_t server = 0;
    std::vector<IpAddress> all;
    bool moved = false;
  };
  struct Answer {
    std::uint64_t number = 0;  // of the question
    Result<Reply> reply;       // an error says which servers were asked, and what is known of why none answered
  };
  using Effect = std::variant<Send, Answer, LookUp, Addresses, LogLine>;
  using Effects = std::vector<Effect>;

  // `configuration` has servers; `entropy` outlives the client
  Client(model::RadiusPtr configuration, Entropy& entropy);

  // The number under which the answer will come, once, perhaps within this call.
  std::uint64_t ask(Question question, TimePoint now, Effects& out);
  void receive(const Socket& from, ByteView packet, Effects& out);
  std::optional<TimePoint> next_deadline() const;
  void on_deadline(TimePoint now, Effects& out);
  // An error says why the name has no address. At most once for each LookUp.
  void looked_up(std::size_t server, Result<std::vector<IpAddress>> addresses, TimePoint now, Effects& out);
  // Nobody waits for the answer any more.
  void forget(std::uint64_t question);

  const model::RadiusPtr& configuration() const { return configuration_; }
  std::vector<model::RadiusServerState> state(TimePoint now) const;

 private:
  struct Pending {
    Question question;
    TimePoint began{};  // when it was asked
    Socket socket;
    std::map<std::uint8_t, Authenticator> sent;  // to this server, by id: an answer to any of them is one
    std::uint8_t id = 0;                         // of the last
    seconds delay{0};                            // that it tells
    Bytes packet;
    std::uint32_t retransmissions = 0;
    TimePoint deadline{};
    std::vector<bool> asked;  // servers
    std::string hint;         // why answers that came were none
    std::string story;        // what became of the servers before
    bool waiting = false;     // for a name; it has no socket and no id
  };
  struct Ids {
    std::map<std::uint8_t, std::uint64_t> taken;  // by which question
    std::uint8_t next = 0;
  };
  struct Server {
    std::optional<TimePoint> dead_until;
    std::string reason;                // why it is dead, or has no address; empty: neither
    std::optional<IpAddress> address;  // none: it is not known
    TimePoint look_up_at{};            // of a host name
    bool looking_up = false;
    model::RadiusServerState counts;
    std::uint16_t next_socket = 0;
  };

  std::string name_of(std::size_t server) const;
  bool unknown(std::size_t server) const;  // its name was not looked up yet
  void look_up_due(TimePoint now, Effects& out);
  void ask_waiting(TimePoint now, Effects& out);
  std::optional<std::size_t> choose(const Pending& pending, TimePoint now) const;
  void ask_next(std::uint64_t number, TimePoint now, Effects& out);
  bool choose_socket(std::uint64_t number, Pending& pending, std::size_t server);
  bool take_id(std::uint64_t number, Pending& pending);
  void release_ids(Pending& pending);
  Status encode(Pending& pending, TimePoint now);
  Duration wait_of(const model::RadiusServer& server, std::uint32_t retransmissions) const;
  void give_up(std::uint64_t number, TimePoint now, Effects& out);
  void finish(std::uint64_t number, Result<Reply> reply, Effects& out);
  Result<Reply> read(const PacketView& packet, const Pending& pending, const Authenticator& request) const;

  const model::RadiusPtr configuration_;
  Entropy& entropy_;
  std::vector<Server> servers_;
  std::map<Socket, Ids> ids_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t next_number_ = 1;
};

}  // namespace svti::radius
