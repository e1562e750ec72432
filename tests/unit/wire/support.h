// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "wire/message.h"

namespace svti::wire {

// hexadecimal with blanks wherever they help the reader
inline Bytes hex(std::string_view digits) {
  std::string packed;
  for (const char c : digits) {
    if (c != ' ' && c != '\n') packed.push_back(c);
  }
  return from_hex(packed).value();
}

// a file of tests/vectors
inline nlohmann::json vectors(const std::string& name) {
  std::ifstream in(SVTI_SOURCE_DIR "/tests/vectors/" + name);
  if (!in) throw std::runtime_error("tests/vectors/" + name + " is missing");
  return nlohmann::json::parse(in);
}

// one payload of `type` with this body, generic header put before it
inline Result<std::vector<Payload>> parse_one(PayloadType type, ByteView body) {
  Writer out;
  out.u8(0);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(kGenericHeaderSize + body.size()));
  out.bytes(body);
  return parse_payloads(type, out.view());
}

inline bool refused(const Result<std::vector<Payload>>& result) { return !result && result.error().fault == Fault::Peer; }

inline Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
inline IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace svti::wire
