// SPDX-License-Identifier: Apache-2.0
#include "engine/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "crypto/system_entropy.h"
#include "support/temporary_folder.h"

namespace svti::engine {
namespace {

Result<Secret> secret_of(const std::string& dir) {
  crypto::SystemEntropy entropy;
  return host_secret(dir, entropy);
}

BOOST_AUTO_TEST_CASE(the_host_secret_is_made_once_for_its_owner_alone) {
  test::TemporaryFolder folder;
  const std::string dir = folder.file("state");
  const auto first = secret_of(dir);
  BOOST_TEST_REQUIRE(first.has_value());
  BOOST_TEST(first->size() == kHostSecretSize);
  struct stat info {};
  BOOST_TEST_REQUIRE(stat((dir + "/secret").c_str(), &info) == 0);
  BOOST_TEST((info.st_mode & 0777) == 0600U);
  const auto again = secret_of(dir);
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(equal(first->view(), again->view()));
  const auto another = secret_of(folder.file("another"));
  BOOST_TEST(!equal(first->view(), another->view()));
  BOOST_TEST(!std::filesystem::exists(dir + "/secret.new"));
}

BOOST_AUTO_TEST_CASE(a_host_secret_that_is_none_is_refused_and_left) {
  test::TemporaryFolder folder;
  const std::string dir = folder.file("state"), path = dir + "/secret";
  BOOST_TEST_REQUIRE(secret_of(dir).has_value());
  ::chmod(path.c_str(), 0640);
  BOOST_TEST(secret_of(dir).error().message.find("read by others") != std::string::npos);
  ::chmod(path.c_str(), 0600);
  BOOST_TEST(secret_of(dir).has_value());
  for (const std::size_t size : {std::size_t{0}, kHostSecretSize - 1, kHostSecretSize + 1}) {
    std::ofstream(path, std::ios::trunc) << std::string(size, 'x');
    BOOST_TEST(secret_of(dir).error().message.find("not as the daemon wrote it") != std::string::npos);
    BOOST_TEST(std::filesystem::file_size(path) == size);
  }
  // a link leads anywhere
  std::filesystem::remove(path);
  std::ofstream(folder.file("elsewhere")) << std::string(kHostSecretSize, 'x');
  ::chmod(folder.file("elsewhere").c_str(), 0600);
  std::filesystem::create_symlink(folder.file("elsewhere"), path);
  BOOST_TEST(!secret_of(dir).has_value());
}

BOOST_AUTO_TEST_CASE(of_the_host_secret_each_purpose_has_its_own) {
  const Secret one(Bytes(kHostSecretSize, 1)), other(Bytes(kHostSecretSize, 2));
  BOOST_TEST(equal(derived_secret(one, "a").view(), derived_secret(one, "a").view()));
  BOOST_TEST(!equal(derived_secret(one, "a").view(), derived_secret(one, "b").view()));
  BOOST_TEST(!equal(derived_secret(one, "a").view(), derived_secret(other, "a").view()));
}

}  // namespace
}  // namespace svti::engine
