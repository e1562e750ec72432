// SPDX-License-Identifier: Apache-2.0
// The rules of the schema between nodes: mandatory leaves, least numbers, references, must expressions.
#pragma once

#include "config/findings.h"
#include "config/reader.h"

namespace svti::config {

// Fills the defaults in and checks the whole tree. Every broken rule is a finding at the line of the node that breaks it.
void validate(const Schema& schema, ReadResult& read, Findings& findings);

}  // namespace svti::config
