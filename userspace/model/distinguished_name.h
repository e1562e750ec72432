// SPDX-License-Identifier: Apache-2.0
// Distinguished names (X.501) as ID payloads of type ID_DER_ASN1_DN carry them and as people write them: "C=CH, O=Example, CN=gw".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace svti::model {

// DER of the Name. Attributes in the order of the certificate, separated by "," (or "/", when it begins with one); those of one RDN by "+";
// a value with one of these in double quotes, or the character behind "\". An attribute type without a name is written as its OID. Errors
// of Fault::Configuration.
Result<Bytes> encode_name(std::string_view text);
// The other way round; nothing is left out, and what is not printable is escaped. Error of Fault::Peer: not the DER of a Name.
Result<std::string> decode_name(ByteView der);
// A form of its own in which equal names are equal octets, whatever string types, case and spaces they are written with (RFC 5280 7.1).
// Octets that are no Name stay as they are.
Bytes folded_name(ByteView der);

// some value of it is "*"
bool has_wildcard(ByteView der);
// Attribute by attribute, in the same order; a value "*" of the selector stands for any. False for what is not the DER of a Name.
bool name_matches(ByteView selector, ByteView presented);

}  // namespace svti::model
