// SPDX-License-Identifier: Apache-2.0
// Kernel requests told in a line. Keys never show.
#include "model/kernel.h"

#include <array>
#include <cstdio>

namespace svti::model {

namespace {

std::string hex_spi(std::uint32_t spi) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", spi);
  return text.data();
}

std::string protocol_name(wire::ProtocolId protocol) {
  switch (protocol) {
    case wire::ProtocolId::Esp:
      return "esp";
    case wire::ProtocolId::Ah:
      return "ah";
    default:
      return "protocol " + std::to_string(static_cast<unsigned>(protocol));
  }
}

std::string_view name(Direction direction) {
  switch (direction) {
    case Direction::In:
      return "in";
    case Direction::Out:
      return "out";
    case Direction::Forward:
      break;
  }
  return "fwd";
}

std::string bound_to(std::uint32_t if_id) { return if_id == 0 ? "" : " svti-id " + std::to_string(if_id); }

std::string port_text(std::uint16_t port, std::uint16_t mask) { return mask == 0 ? "" : " port " + std::to_string(port); }

std::string text_of(const PolicyId& id) {
  std::string out(name(id.direction));
  out += " " + id.source.to_string() + port_text(id.source_port, id.source_port_mask);
  out += " to " + id.destination.to_string() + port_text(id.destination_port, id.destination_port_mask);
  if (id.protocol != 0) out += " protocol " + std::to_string(id.protocol);
  return out + bound_to(id.if_id);
}

std::string text_of(const RouteId& id) {
  return (id.svti_id == 0 ? "throw " : "") + id.destination.to_string() + bound_to(id.svti_id) + " table " + std::to_string(id.table);
}

std::string text_of(const RuleId& id) {
  return std::string(id.family == IpFamily::V4 ? "IPv4" : "IPv6") + " priority " + std::to_string(id.priority) + " lookup table " +
         std::to_string(id.table);
}

std::string text_of(const AddressId& id) { return id.address.to_string() + (id.svti_id == 0 ? " on lo" : bound_to(id.svti_id)); }

struct Describe {
  std::string operator()(const AddSa& request) const { return "add SA " + describe(request.id) + bound_to(request.if_id); }
  std::string operator()(const DeleteSa& request) const { return "delete SA " + describe(request.id); }
  std::string operator()(const MoveSa& request) const {
    return "move SA " + describe(request.id) + " to " + request.source.to_string() + " => " + request.destination.to_string() +
           (request.encapsulation ? " UDP ports " + std::to_string(request.encapsulation->source_port) + " and " +
                                        std::to_string(request.encapsulation->destination_port)
                                  : std::string());
  }
  std::string operator()(const SetPolicy& request) const { return "set policy " + text_of(request.id); }
  std::string operator()(const DeletePolicy& request) const { return "delete policy " + text_of(request.id); }
  std::string operator()(const AddRoute& request) const { return "add route " + text_of(request.id); }
  std::string operator()(const DeleteRoute& request) const { return "delete route " + text_of(request.id); }
  std::string operator()(const AddRule& request) const { return "add rule " + text_of(request.id); }
  std::string operator()(const DeleteRule& request) const { return "delete rule " + text_of(request.id); }
  std::string operator()(const AddAddress& request) const { return "add address " + text_of(request.id); }
  std::string operator()(const DeleteAddress& request) const { return "delete address " + text_of(request.id); }
  std::string operator()(const SetPolicyHash& request) const {
    return "set policy hash IPv4 local " + std::to_string(request.ipv4_local) + " remote " + std::to_string(request.ipv4_remote) +
           ", IPv6 local " + std::to_string(request.ipv6_local) + " remote " + std::to_string(request.ipv6_remote);
  }
  std::string operator()(const SetAcquireTimeout& request) const {
    return "set acquire timeout " + std::to_string(request.value.count()) + "s";
  }
};

}  // namespace

std::string describe(const SaId& id) { return id.destination.to_string() + " " + protocol_name(id.protocol) + " " + hex_spi(id.spi); }

std::string describe(const KernelRequest& request) { return std::visit(Describe{}, request); }

}  // namespace svti::model
