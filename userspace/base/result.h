// SPDX-License-Identifier: Apache-2.0
// Errors as values. An error says whose fault it is and, in a sentence without a final stop, what is wrong.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace svti {

enum class Fault {
  Peer,           // what came over the network
  Surroundings,   // kernel, files, memory, another program
  Configuration,  // what the user wrote
};

struct Error {
  Fault fault = Fault::Surroundings;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Fault fault, std::string message) { return tl::unexpected<Error>(Error{fault, std::move(message)}); }
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> peer_error(std::string message) { return fail(Fault::Peer, std::move(message)); }
inline tl::unexpected<Error> system_error(std::string message) { return fail(Fault::Surroundings, std::move(message)); }
inline tl::unexpected<Error> config_error(std::string message) { return fail(Fault::Configuration, std::move(message)); }

}  // namespace svti
