// SPDX-License-Identifier: Apache-2.0
// A UDP socket that is not IKE's: RADIUS.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "model/network.h"

namespace svti::net {

// In the namespace that the thread stands in. `loop` must outlive the socket. Error: the port is in use, the address is none of ours, there
// is no way to `remote`.
Result<std::unique_ptr<model::PlainSocket>> open_plain_socket(boost::asio::io_context& loop, const model::PlainSocket::Where& where,
                                                              model::PlainSocket::Receive receive);

}  // namespace svti::net
