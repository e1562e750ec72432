// SPDX-License-Identifier: Apache-2.0
// The guide's eleven log subsystems and five levels ("Logging").
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace svti {

enum class Subsystem : std::uint8_t { Asn1, Child, Config, Daemon, Encoding, Ike, Ipsec, Job, Kernel, Manager, Network };
inline constexpr std::array<std::string_view, 11> kSubsystemNames = {"asn1",  "child", "config", "daemon",  "encoding", "ike",
                                                                     "ipsec", "job",   "kernel", "manager", "network"};
inline std::string_view to_string(Subsystem subsystem) { return kSubsystemNames[static_cast<std::size_t>(subsystem)]; }

// 0 audit (SA up, SA down), 1 control flow and errors, 2 detail, 3 raw dumps, 4 secrets too
using LogLevel = std::int8_t;
inline constexpr LogLevel kLogDisabled = -1;

struct LogLine {
  Subsystem subsystem = Subsystem::Daemon;
  LogLevel level = 1;
  std::string vpn;           // VPN it is about, empty where none
  std::string text;          // one line, no final newline; octets from a peer already made printable
  std::uint32_t ike_id = 0;  // unique id of the IKE SA it is about, 0 where none
};

// Receives lines as they come, in the thread that makes them; must not block.
using LogSink = std::function<void(const LogLine&)>;

// text from a peer made safe for a terminal and a log file: control and non-ASCII octets become \xNN, at most `limit` characters
std::string printable(std::string_view text, std::size_t limit = 256);

}  // namespace svti
