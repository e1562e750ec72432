// SPDX-License-Identifier: Apache-2.0
#include "engine/host_name.h"

#include <utility>

#include "fetch/packet.h"

namespace svti::engine {

namespace {

constexpr std::size_t kMostOctets = 4096;

}  // namespace

void look_up_host(model::Fetcher& fetcher, const std::string& vrf, const std::string& host,
                  std::function<void(Result<std::vector<IpAddress>>)> done) {
  model::Fetch what;
  what.uri = "dns:" + host;
  what.most_octets = kMostOctets;
  what.time = kLookUpTime;
  what.configured = true;
  what.vrf = vrf;
  fetcher.fetch(std::move(what), [done = std::move(done)](const Result<Bytes>& said) {
    done(said ? fetch::addresses_in(*said) : Result<std::vector<IpAddress>>(fail(said.error())));
  });
}

}  // namespace svti::engine
