// LLaVA-Instruct files: conversations about pictures in a folder.
#include "seawall/core/error.hpp"
#include "seawall/core/picture.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::Folder;
using testing::message_of;

class LlavaRows : public ::testing::Test {
 protected:
  LlavaRows() {
    std::filesystem::create_directory(folder_.path() / "images");
    folder_.write("images/cat.png", encode_png(Pixels{2, 1, {1, 2, 3, 4, 5, 6}}));
  }
  RowsFile read(const std::string& content) const {
    return read_rows(folder_.write("llava.json", content), RowKind::benign, "",
                     folder_.path() / "images");
  }
  Folder folder_;
};

std::string row(const std::string& image, const std::string& first) {
  return R"({"id": "1", "image": ")" + image + R"(", "conversations": [)" +
         R"({"from": "human", "value": ")" + first + R"("}, {"from": "gpt", "value": "A cat."}, )" +
         R"({"from": "human", "value": "Where?"}, {"from": "gpt", "value": "On a mat."}]})";
}

TEST_F(LlavaRows, TheMarkGoesToTheFrontAndThePictureIsFound) {
  const auto file = read("[" + row("cat.png", "What is this?\\n<image>") + "]");
  EXPECT_EQ(file.report.format, "llava-json");
  ASSERT_EQ(file.dataset.size(), 1u);
  const auto& dialogue = file.dataset.rows[0].dialogue;
  ASSERT_EQ(dialogue.messages.size(), 4u);
  EXPECT_EQ(dialogue.messages[0].content, "<image>\nWhat is this?");
  EXPECT_EQ(dialogue.messages[0].role, Role::user);
  EXPECT_EQ(dialogue.messages[3].content, "On a mat.");
  EXPECT_EQ(dialogue.messages[3].role, Role::assistant);
  ASSERT_NE(dialogue.picture, nullptr);
  EXPECT_EQ(dialogue.picture->pixels().rgb, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(LlavaRows, RowsWithoutAPictureAreText) {
  const auto file = read(R"([{"conversations": [{"from": "human", "value": "Hello <image>"},
                              {"from": "gpt", "value": "Hello."}]}])");
  EXPECT_EQ(file.dataset.rows[0].dialogue.picture, nullptr);
  EXPECT_EQ(file.dataset.rows[0].dialogue.messages[0].content, "Hello <image>");
}

TEST_F(LlavaRows, JsonLinesAreReadAsWell) {
  const auto file = read(row("cat.png", "<image> What?") + "\n" + row("cat.png", "<image> Who?"));
  EXPECT_EQ(file.report.format, "llava-jsonl");
  EXPECT_EQ(file.dataset.size(), 2u);
}

TEST_F(LlavaRows, RowsThatCannotBeShownAreCountedWithTheReason) {
  const std::string good = row("cat.png", "<image> What?");
  const auto rejection = [&](const std::string& bad) {
    const auto file = read("[" + bad + ", " + good + "]");
    EXPECT_EQ(file.report.rejected, 1u) << bad;
    EXPECT_EQ(file.dataset.size(), 1u) << bad;
    return file.report.first_rejection;
  };
  EXPECT_HAS(rejection(row("dog.png", "<image> What?")), "record 1: image 'dog.png' is not in ");
  EXPECT_HAS(rejection(row("../llava.json", "<image> What?")), "want a path within the folder");
  EXPECT_HAS(rejection(row("/etc/passwd", "<image> What?")), "want a path within the folder");
  EXPECT_HAS(rejection(row("cat.png", "What?")), "no <image> in the first human turn");
  EXPECT_HAS(rejection(row("cat.png", "<image> or <image>?")), "more than one <image>");
}

TEST_F(LlavaRows, ErrorsNameRecordAndTurn) {
  EXPECT_HAS(message_of<DataError>(
                 [&] { read(R"([{"conversations": [{"from": "dog", "value": "x"}]}])"); }),
             "record 1, turn 1: from 'dog', want human or gpt");
  EXPECT_HAS(message_of<DataError>([&] { read(R"([{"conversations": 3}])"); }),
             "record 1: key 'conversations': want an array");
  const auto path = folder_.write("b.json", "[" + row("cat.png", "<image> What?") + "]");
  EXPECT_HAS(message_of<UsageError>([&] { read_rows(path, RowKind::benign); }), "--images");
}

}  // namespace
}  // namespace seawall
