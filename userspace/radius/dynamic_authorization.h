// SPDX-License-Identifier: Apache-2.0
// Disconnect-Request and CoA-Request of the RADIUS servers (RFC 5176): who may ask, what is asked, and that it is asked once. Sans-IO.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "model/radius.h"
#include "radius/packet.h"

namespace svti::radius {

// RFC 5176 3.6
enum class ErrorCause : std::uint32_t {
  UnsupportedAttribute = 401,
  MissingAttribute = 402,
  NasIdentificationMismatch = 403,
  SessionContextNotFound = 503,
};

class DynamicAuthorization {
 public:
  static constexpr seconds kWindow{300};               // RFC 5176 6.3: how old or new a request may be
  static constexpr std::size_t kMaxRemembered = 1024;  // answers within the window

  explicit DynamicAuthorization(model::RadiusPtr configuration);

  // Those of a server that has a host name; none before this is called.
  void set_addresses(std::size_t server, std::vector<IpAddress> addresses) { addresses_.at(server) = std::move(addresses); }

  // Which sessions are meant: all that is given has to fit.
  struct Request {
    Code code{};
    std::string server;
    std::optional<Bytes> user;
    std::optional<std::string> session, calling_station, called_station;
    std::optional<std::uint32_t> port;
    std::vector<IpAddress> addresses;
    // of a CoA-Request
    std::optional<seconds> session_timeout, interim_interval;
  };
  struct Outcome {
    std::optional<Bytes> response;   // to be sent back at once
    std::optional<Request> request;  // to be carried out, and then told to answer()
    std::string log;                 // why neither is there, or why it is refused; empty: nothing to say
  };
  // `wall`: seconds since 1970
  Outcome receive(const Endpoint& from, ByteView octets, seconds wall);
  // The response to the request that receive() gave last. `refusal`: none: it was done.
  Bytes answer(std::optional<ErrorCause> refusal);

 private:
  struct Key {
    Endpoint from;
    std::uint8_t id = 0;
    Authenticator authenticator{};
    auto operator<=>(const Key&) const = default;
  };
  struct Asked {
    Key key;
    Code code{};
    std::size_t server = 0;
    seconds wall{};
  };
  Outcome refuse(ErrorCause cause, std::string log);
  Outcome read(const PacketView& packet);

  bool is_of(const IpAddress& address, std::size_t server) const;

  const model::RadiusPtr configuration_;
  std::vector<std::vector<IpAddress>> addresses_;  // of each server
  Asked asked_;
  std::map<Key, Bytes> answers_;
  std::deque<std::pair<seconds, Key>> order_;  // of answers_, by age
};

}  // namespace svti::radius
