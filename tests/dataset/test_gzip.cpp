// Data files as gzip leaves them.
#include "dataset/gzip.hpp"

#include <zlib.h>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;

std::string packed(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string red_team = "[{\"transcript\":\"\\n\\nHuman: Row?\\n\\nAssistant: No.\"}]";

TEST(Gzip, ARedTeamSetIsReadAsItIsPublished) {
  const Folder folder;
  const auto bytes = packed(red_team);
  const auto file = read_rows(folder.write("red.jsonl.gz", bytes), RowKind::harmful);
  EXPECT_EQ(file.report.format, "red-team-json");
  EXPECT_EQ(file.report.sha256, sha256_hex(bytes));
  EXPECT_EQ(file.dataset.name, "red");
  EXPECT_EQ(file.dataset.rows.at(0).dialogue.messages.at(1).content, "No.");
  EXPECT_EQ(read_probes(folder.write("p.csv.gz", packed("goal\nOne\n")), true).probes.at(0).id,
            "p/1");
}

TEST(Gzip, MembersFollowOneAnotherAndSizesAreExact) {
  const std::string large(1 << 17, 'x');
  EXPECT_EQ(unpack_gzip(packed(large) + packed("y") + packed(""), "f", 1 << 20), large + "y");
  EXPECT_EQ(unpack_gzip(packed(large), "f", 1 << 17), large);
}

TEST(Gzip, DamageAndBombsAreNamed) {
  const auto refuse = [](const std::string& bytes, std::uint64_t limit = 1 << 20) {
    return message_of<DataError>([&] { unpack_gzip(bytes, "f.gz", limit); });
  };
  const auto whole = packed(red_team);
  for (std::size_t cut = 2; cut < whole.size(); ++cut)
    EXPECT_HAS(refuse(whole.substr(0, cut)),
               "f.gz: gzip: ends too early at byte " + std::to_string(cut));
  auto wrong = whole;
  wrong[wrong.size() - 6] ^= 1;  // the checksum
  EXPECT_HAS(refuse(wrong), "f.gz: gzip: damaged at byte");
  EXPECT_HAS(refuse(whole + "trailing"), "damaged at byte");
  EXPECT_HAS(refuse(packed(std::string((1 << 20) + 1, '\0'))), "unpacks to more than the 1048576");
}

}  // namespace
}  // namespace seawall
