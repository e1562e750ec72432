// SPDX-License-Identifier: Apache-2.0
// Fetching what a certificate authority publishes: revocation lists and answers of OCSP responders; and looking up names of hosts. An
// interface, so that tests put a fake in its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace svti::model {

struct Fetch {
  // http, https or ldap; or, `configured`, dns: and the name of a host (RFC 4501), which brings its addresses as text, one a line
  std::string uri;
  Bytes body;                   // of an OCSP request, posted; empty: the URI is read
  std::size_t most_octets = 0;  // a larger answer is an error
  std::chrono::seconds time{};  // the whole of it may take
  // The administrator has named the URI, not a certificate: it may lead to this host itself.
  bool configured = false;
  bool redirects = true;     // are followed; else one is an error
  std::string vrf = "main";  // whose network is used
};

class Fetcher {
 public:
  using Done = std::function<void(Result<Bytes>)>;
  virtual ~Fetcher() = default;
  // Calls `done` once, in a turn of its own, in the thread of the event loop. An error says in a sentence without a final stop what went
  // wrong.
  virtual void fetch(Fetch what, Done done) = 0;
};

}  // namespace svti::model
