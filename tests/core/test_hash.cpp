#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

// FIPS 180-2, appendix B.1 and B.2; the empty message from NIST's byte-oriented test vectors.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  EXPECT_EQ(Sha256().update("a", 1).update("bc", 2).hex(), sha256_hex("abc"));
}

TEST(Sha256, FieldsKeepTheirBorders) {
  EXPECT_NE(Sha256().field("ab").field("c").hex(), Sha256().field("a").field("bc").hex());
  EXPECT_EQ(Sha256().field("abc").hex(), sha256_hex(std::string("\3\0\0\0\0\0\0\0abc", 11)));
}

TEST(Sha256, ReadsWholeFilesAndNamesTheOneItCannotRead) {
  const auto folder = fs::path(testing::TempDir()) / "seawall hash é";
  fs::create_directories(folder);
  const auto path = folder / "bytes";
  const std::string bytes(200000, '\xff');  // more than one buffer
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(sha256_file(path), sha256_hex(bytes));
  for (const auto& wrong : {folder / "absent", folder}) {
    try {
      sha256_file(wrong);
      FAIL() << wrong;
    } catch (const IoError& e) {
      EXPECT_NE(std::string(e.what()).find(wrong.string() + ": cannot "), std::string::npos);
      EXPECT_EQ(e.exit_code(), ExitCode::io);
    }
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace seawall
