// SPDX-License-Identifier: Apache-2.0
// Files of tests/vectors. Each is made by a script beside it.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

inline nlohmann::json crypto_vectors(const std::string& name = "crypto.json") {
  std::ifstream in(SVTI_SOURCE_DIR "/tests/vectors/" + name);
  if (!in) throw std::runtime_error("tests/vectors/" + name + " is missing");
  return nlohmann::json::parse(in);
}
