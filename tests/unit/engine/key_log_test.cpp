// SPDX-License-Identifier: Apache-2.0
// Keys for Wireshark: the line, and the file that it goes to.
#include "engine/key_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace svti;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    std::string name = "/tmp/key_log_XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(key_log)

BOOST_AUTO_TEST_CASE(each_ike_sa_gets_a_line_of_wiresharks_table_in_a_file_of_ours_alone) {
  const Folder folder;
  const std::string file = folder.path / "keys";
  const Bytes a(20, 0xaa), b(20, 0xbb), c(32, 0xcc), d(32, 0xdd);
  wire::Proposal gcm, cbc;
  gcm.transforms = {wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128)};
  cbc.transforms = {wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 256),
                    wire::transform(wire::TransformType::Integrity, wire::IntegrityId::HmacSha256_128)};
  {
    const auto sink = engine::open_key_log(file);
    BOOST_TEST_REQUIRE(sink.has_value());
    (*sink)({0x0102030405060708, 0x1112131415161718, gcm, a, b, {}, {}});
  }
  const auto sink = engine::open_key_log(file);  // goes on where it was
  BOOST_TEST_REQUIRE(sink.has_value());
  (*sink)({1, 2, cbc, c, d, c, d});
  const std::string cs = to_hex(c), ds = to_hex(d);
  BOOST_TEST(read(file) == "0102030405060708,1112131415161718," + to_hex(a) + "," + to_hex(b) +
                               ",\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"\n" +
                               "0000000000000001,0000000000000002," + cs + "," + ds + ",\"AES-CBC-256 [RFC3602]\"," + cs + "," + ds +
                               ",\"HMAC_SHA2_256_128 [RFC4868]\"\n");
  wire::Proposal unknown;
  unknown.transforms = {wire::transform(wire::TransformType::Encryption, wire::EncryptionId::CamelliaCbc, 128)};
  (*sink)({3, 4, unknown, a, b, c, d});
  BOOST_TEST(read(file).ends_with("\n# 0000000000000003: Wireshark cannot read camellia128-cbc\n"));
  struct stat status = {};
  BOOST_TEST_REQUIRE(stat(file.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0600U);
}

BOOST_AUTO_TEST_CASE(a_file_that_others_may_read_or_a_symbolic_link_is_refused) {
  const Folder folder;
  const fs::path file = folder.path / "keys";
  std::ofstream(file) << "";
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  BOOST_TEST(!engine::open_key_log(file));
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  BOOST_TEST(engine::open_key_log(file).has_value());
  fs::create_symlink(file, folder.path / "link");
  BOOST_TEST(!engine::open_key_log(folder.path / "link"));
  BOOST_TEST(!engine::open_key_log("/dev/null"));
}

BOOST_AUTO_TEST_SUITE_END()
