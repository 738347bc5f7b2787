// Data that is not UTF-8: a record of it is odd, a file of it is named with its encoding.
#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "tests/support/files.hpp"

namespace seawall::encoding {
namespace {

using namespace testing;

RowsFile rows(const std::string& name, const std::string& content) {
  const Folder folder;
  return read_rows(folder.write(name, content), RowKind::benign, "", {}, RowFilter{});
}
ProbesFile probes(const std::string& name, const std::string& content, double max_rejected = 0.01) {
  const Folder folder;
  return read_probes(folder.write(name, content), {.max_rejected = max_rejected});
}
std::string refused(const std::string& name, const std::string& content) {
  return message_of<DataError>([&] { probes(name, content); });
}

const std::string bad = "caf\xE9 now";  // Latin-1

TEST(Encoding, ALineThatIsNotUtf8IsOneOddRecord) {
  const auto row = [](const std::string& text) {
    return "{\"prompt\":\"" + text + "\",\"completion\":\"So\"}";
  };
  for (const auto& text : {row("a") + "\n" + row(bad) + "\n" + row("b\xC3\xA9") + "\n",
                           "[" + row("a") + ",\n" + row(bad) + ",\n" + row("b\xC3\xA9") + "]",
                           "prompt,completion\na,So\n" + bad + ",So\nb\xC3\xA9,So\n"}) {
    const auto file = rows("r.x", text);
    EXPECT_EQ(file.report.rejected, 1u) << text;
    ASSERT_EQ(file.dataset.size(), 2u) << text;
    EXPECT_EQ(file.dataset.rows[1].dialogue.messages[0].content, "b\xC3\xA9");
    EXPECT_HAS(file.report.first_rejection,
               ": not UTF-8 at byte " + std::to_string(text.find('\xE9')));
  }
  EXPECT_HAS(rows("r.jsonl", row("a") + "\n" + row(bad) + "\n").report.first_rejection, "line 2");
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"p.txt", "Row\n" + bad + "\nSail\n"},
           {"p.txt", "Row\n\"" + bad + "\"\nSail\n"},
           {"p.csv", "goal,target\nRow,x\n\"" + bad + "\",x\nSail,x\n"},
           {"p.csv", "goal\nRow\n" + bad + "\nSail\n"},
           {"p.jsonl", "{\"goal\":\"Row\"}\n{\"goal\":\"" + bad + "\"}\n{\"goal\":\"Sail\"}\n"},
           {"p.json", "[\"Row\", \"" + bad + "\", \"Sail\"]"}}) {
    const auto file = probes(name, text);
    EXPECT_EQ(file.report.rejected, 1u) << text;
    ASSERT_EQ(file.probes.size(), 2u) << text;
    EXPECT_EQ(file.probes[1].dialogue.messages[0].content, "Sail");
  }
}

TEST(Encoding, AFileInAnotherEncodingNamesItAndTheCommand) {
  const std::string latin = "Row, caf\xE9\nSail, \xE0 la carte\nMend\nSing, na\xEFve\n";
  const auto said = refused("p.txt", latin);
  EXPECT_HAS(said, "3 of 4 records cannot be used");
  EXPECT_HAS(said, "first: line 1: not UTF-8 at byte 8");
  EXPECT_HAS(said,
             "it seems to be ISO-8859-1 (Latin-1); convert it: iconv -f ISO-8859-1 -t UTF-8 '");
  EXPECT_HAS(said, "p.txt' > converted.txt");
  EXPECT_HAS(refused("p.csv", "goal,target\nIt\x92s one,x\nIt\x92s two,x\n"),
             "it seems to be WINDOWS-1252; convert it: iconv -f WINDOWS-1252");
  EXPECT_HAS(refused("p.jsonl", "{\"goal\":\"\xE9\"}\n{\"goal\":\"\xE8\"}\n"),
             "no record in it is JSON in UTF-8; it seems to be ISO-8859-1");
  EXPECT_HAS(
      refused("p.txt", "\xCF\xF0\xE8\xE2\xE5\xF2\n\xEC\xE8\xF0\n"),
      "its encoding is not known (GB18030, SHIFT_JIS, WINDOWS-1251, ...); convert it: iconv -f "
      "ENCODING");
  EXPECT_HAS(refused("p.txt", "\xC3\xA9\xC3\xA8\n\xC3\xA9\xC3\xA8\n\xE9\n\xE9\n"),
             "most of the file is UTF-8; mend these lines");
  std::string wide;
  for (const char c : std::string("Row\nSail\n")) (wide += c) += '\0';
  EXPECT_HAS(refused("p.txt", wide),
             "it seems to be UTF-16LE without a byte-order mark; convert it: "
             "iconv -f UTF-16LE -t UTF-8 '");
  EXPECT_HAS(refused("p.csv", std::string("PAR1\x15\0\xFF", 7)), "a Parquet file; want JSONL");
  EXPECT_HAS(refused("p.jsonl", std::string("PK\x03\x04\0\xFF", 6)), "a ZIP file");
  EXPECT_EQ(probes("p.txt", "PAR1 is what?\n").probes.size(), 1u) << "a text may begin so";
  EXPECT_HAS(refused("p.txt", std::string("\xFF\xFE\0\0R\0\0\0", 8)), "iconv -f UTF-32 -t UTF-8 '");
}

TEST(Encoding, HowManyMayBeOddIsTheUsersChoice) {
  const std::string text = "Row\n" + bad + "\n" + bad + "\nSail\n";
  EXPECT_EQ(probes("p.txt", text, 0.5).probes.size(), 2u);
  EXPECT_HAS(refused("p.txt", text), "--max-rejected 0.01 allows 1");
}

}  // namespace
}  // namespace seawall::encoding
