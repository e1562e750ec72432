// SPDX-License-Identifier: Apache-2.0
// Traffic selectors as sets (RFC 7296 2.9 and 3.13.1, RFC 4301 4.4.1.1).
#include <algorithm>

#include "wire/payload.h"

namespace svti::wire {
namespace {

// RFC 4301 4.4.1.1: OPAQUE, "no port to be seen", is no port of any range; ANY includes it
bool ports_contain(const TrafficSelector& outer, const TrafficSelector& inner) {
  if (outer.any_port()) return true;
  if (outer.opaque_port() || inner.opaque_port()) return outer.opaque_port() && inner.opaque_port();
  return outer.start_port <= inner.start_port && inner.end_port <= outer.end_port;
}

// Appends the prefixes inside `within` that `start`..`end` covers. A prefix that the range cuts is halved: each level of the
// tree has at most two of those, so that the work is bounded by twice the number of bits.
void cover(const Prefix& within, const IpAddress& start, const IpAddress& end, std::vector<Prefix>& out) {
  const IpAddress last = within.last();
  if (within.first() > end || last < start) return;
  if (within.first() >= start && last <= end) {
    out.push_back(within);
    return;
  }
  const auto half = static_cast<std::uint8_t>(within.length() + 1);
  cover(Prefix(within.first(), half), start, end, out);
  cover(Prefix(last, half), start, end, out);
}

std::string ports_to_string(const TrafficSelector& selector) {
  if (selector.any_port()) return "";
  if (selector.opaque_port()) return " port opaque";
  if (selector.start_port == selector.end_port) return " port " + std::to_string(selector.start_port);
  return " port " + std::to_string(selector.start_port) + "-" + std::to_string(selector.end_port);
}

}  // namespace

TrafficSelector TrafficSelector::of(const Prefix& prefix, std::uint8_t protocol, std::uint16_t start_port, std::uint16_t end_port) {
  return {protocol, start_port, end_port, prefix.first(), prefix.last()};
}

bool TrafficSelector::contains(const TrafficSelector& other) const {
  if (start.family() != other.start.family()) return false;
  if (protocol != 0 && protocol != other.protocol) return false;
  return start <= other.start && other.end <= end && ports_contain(*this, other);
}

std::vector<Prefix> TrafficSelector::prefixes() const {
  std::vector<Prefix> out;
  cover(Prefix::any(start.family()), start, end, out);
  return out;
}

std::string TrafficSelector::to_string() const {
  const auto covering = prefixes();
  std::string out = covering.size() == 1 ? covering.front().to_string() : start.to_string() + "-" + end.to_string();
  if (protocol != 0) out += " protocol " + std::to_string(protocol);
  return out + ports_to_string(*this);
}

std::vector<TrafficSelector> intersect(const TrafficSelector& ours, const TrafficSelector& theirs) {
  if (ours.start.family() != theirs.start.family()) return {};
  if (ours.protocol != 0 && theirs.protocol != 0 && ours.protocol != theirs.protocol) return {};
  TrafficSelector out;
  out.protocol = ours.protocol != 0 ? ours.protocol : theirs.protocol;
  out.start = std::max(ours.start, theirs.start);
  out.end = std::min(ours.end, theirs.end);
  if (out.start > out.end) return {};
  if (ports_contain(ours, theirs)) {  // also whenever one of both is OPAQUE and they have anything in common
    out.start_port = theirs.start_port;
    out.end_port = theirs.end_port;
    return {out};
  }
  if (ours.opaque_port() || theirs.opaque_port()) {
    if (!ports_contain(theirs, ours)) return {};
    out.start_port = ours.start_port;
    out.end_port = ours.end_port;
    return {out};
  }
  out.start_port = std::max(ours.start_port, theirs.start_port);
  out.end_port = std::min(ours.end_port, theirs.end_port);
  if (out.start_port > out.end_port) return {};
  return {out};
}

}  // namespace svti::wire
