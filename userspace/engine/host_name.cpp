// SPDX-License-Identifier: Apache-2.0
#include "engine/host_name.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace svti::engine {

namespace {

constexpr std::size_t kMostOctets = 4096;

Result<std::vector<IpAddress>> read(std::string_view text) {
  std::vector<IpAddress> out;
  while (!text.empty() && out.size() < kMostAddresses) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto address = IpAddress::parse(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!address) return system_error("what the fetcher says is no address");
    if (std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
  }
  if (out.empty()) return system_error("it has no address");
  return out;
}

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
    done(said ? read(as_text(*said)) : Result<std::vector<IpAddress>>(fail(said.error())));
  });
}

}  // namespace svti::engine
