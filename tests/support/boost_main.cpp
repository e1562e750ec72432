// SPDX-License-Identifier: Apache-2.0
// The one main of every Boost.Test program.
#define BOOST_TEST_MODULE svti
#include <boost/test/unit_test.hpp>
