// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <boost/test/unit_test.hpp>
#include <iostream>
using svti::config::Document;
BOOST_AUTO_TEST_CASE(x) {
  Document d;
  std::cout << d.print({}) << d.to_json({}) << d.print({false, true});
}
