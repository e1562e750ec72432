// SPDX-License-Identifier: Apache-2.0
// URIs of private keys on PKCS#11 tokens (RFC 7512).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace svti::crypto {

struct TokenUri {
  std::string text;        // in its normal form, without what concerns the PIN
  std::string place;       // the part that says which token, and by which module
  std::string pin_source;  // path of the file with the PIN; empty: none was named
};

// Errors of Fault::Configuration, to be put behind the name of a leaf: not of RFC 7512, a PIN in it, nothing that says which key, a
// PIN's source that is not a file.
Result<TokenUri> parse_token_uri(std::string_view text);

// The same from what VICI has: CKA_ID, a slot's number ("" for any), and a module: a path, or its name in p11-kit's configuration, or "".
Result<std::string> token_uri_of(ByteView id, std::string_view slot, std::string_view module);

}  // namespace svti::crypto
