// SPDX-License-Identifier: Apache-2.0
// tests/vectors/crypto.json, made by tests/vectors/make_crypto.py
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

inline nlohmann::json crypto_vectors() {
  std::ifstream in(SVTI_SOURCE_DIR "/tests/vectors/crypto.json");
  if (!in) throw std::runtime_error("tests/vectors/crypto.json is missing");
  return nlohmann::json::parse(in);
}
