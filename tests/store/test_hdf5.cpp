#include <ATen/ops/empty.h>

#include <random>
#include <thread>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall::h5 {
namespace {

using testing::bytes_of;
using testing::Folder;
using testing::spit;

/// A file with every type, filters, groups and texts.
std::filesystem::path write_sample(const std::filesystem::path& path) {
  Writer writer;
  writer.attribute("title", std::string("täst"));
  writer.attribute("seed", std::int64_t{-3});
  writer.attribute("ratio", 0.1);
  writer.coordinate("name", std::vector<std::string>{"a", "", "ü日"});
  writer.dimension("width", 500);
  std::vector<float> values(1500);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 3;
  writer.variable("values", {"name", "width"}, values, {.chunk = {1, 500}, .compress = true});
  writer.group("deep");
  writer.dataset("deep/z", {2}, std::vector<std::uint8_t>{1, 255});
  writer.dataset("deep/a", {}, std::vector<std::int64_t>{std::int64_t{1} << 60});
  writer.dataset("deep/i", {2}, std::vector<std::int32_t>{-1, 2});
  const std::vector<std::uint16_t> bits{0x3F80, 0xFFFF};
  writer.dataset("deep/b", {2}, Values(Type::uint16, bits.data(), 2));
  writer.dataset("deep/d", {1, 2}, std::vector<double>{1e300, -0.0});
  publish(path, writer);
  return path;
}

std::string message_of(const auto& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

TEST(Hdf5, TakesOnlyNamesThatNetcdfTakes) {
  for (const std::string name : {"a", "_b", "9", "é", "with space", "rubric:gpt-4o", "a.b+c@d"})
    EXPECT_TRUE(is_legal_name(name)) << name;
  for (const std::string name : {"", "a/b", "/", ".", "-a", " a", "a ", "a\nb", "\x7f", "a\xff",
                                 "%2F", std::string(257, 'x').c_str()}) {
    EXPECT_FALSE(is_legal_name(name)) << name;
    EXPECT_TRUE(is_legal_name(legal_name(name))) << name << " became " << legal_name(name);
  }
  EXPECT_EQ(legal_name("set/attack"), "set_attack");
  EXPECT_EQ(legal_name("judge_rubric:org/model_usd"), "judge_rubric:org_model_usd");
  EXPECT_EQ(legal_name("kept as it is"), "kept as it is");

  Writer writer;
  writer.dimension("n", 1);
  writer.group("g");
  const std::vector<float> one{1};
  EXPECT_THROW(writer.attribute("set/attack", 1.0), IoError);
  EXPECT_THROW(writer.attribute("", 1.0), IoError);
  EXPECT_THROW(writer.dimension("-n", 1), IoError);
  EXPECT_THROW(writer.coordinate("c ", one), IoError);
  EXPECT_THROW(writer.coordinate("c", one, {{"a/b", 1.0}}), IoError);
  EXPECT_THROW(writer.variable("%v", {"n"}, one), IoError);
  EXPECT_THROW(writer.variable("v", {"n"}, one, {.attributes = {{"a/b", 1.0}}}), IoError);
  EXPECT_THROW(writer.dataset("g//x", {1}, one), IoError);
  EXPECT_THROW(writer.group("g/.x"), IoError);
  writer.dataset("g/x", {1}, one, {{"a.b", 1.0}});
}

TEST(Hdf5, ReadsBackEveryTypeInTheOrderOfCreation) {
  const Folder folder;
  const Reader reader(write_sample(folder / "a.h5"));
  EXPECT_EQ(reader.list("deep"), (std::vector<std::string>{"z", "a", "i", "b", "d"}));
  std::vector<std::uint16_t> bits(2);
  reader.read("deep/b", bits.data(), 2);
  EXPECT_EQ(bits, (std::vector<std::uint16_t>{0x3F80, 0xFFFF}));
  EXPECT_EQ(reader.type("deep/b"), Type::uint16);
  EXPECT_EQ(reader.uint8("deep/z"), (std::vector<std::uint8_t>{1, 255}));
  EXPECT_EQ(reader.int64("deep/a"), std::vector<std::int64_t>{std::int64_t{1} << 60});
  EXPECT_EQ(reader.int32("deep/i"), (std::vector<std::int32_t>{-1, 2}));
  EXPECT_EQ(reader.float64("deep/d"), (std::vector<double>{1e300, -0.0}));
  EXPECT_EQ(reader.texts("name"), (std::vector<std::string>{"a", "", "ü日"}));
  EXPECT_EQ(reader.float32("values").at(1499), 1499.0F / 3);
  EXPECT_EQ(reader.float32_block("values", {1, 10}, {2, 1}),
            (std::vector<float>{510.0F / 3, 1010.0F / 3}));
  EXPECT_EQ(reader.dims("values"), (std::vector<std::string>{"name", "width"}));
  EXPECT_EQ(reader.text_attribute("title"), "täst");
  EXPECT_EQ(std::get<std::int64_t>(reader.attribute("seed")), -3);
  EXPECT_EQ(std::get<double>(reader.attribute("ratio")), 0.1);
  EXPECT_TRUE(reader.is_group("deep"));
  EXPECT_FALSE(reader.has("shallow"));
}

TEST(Hdf5, NamesWhatIsMissingOrOfAnotherType) {
  const Folder folder;
  const Reader reader(write_sample(folder / "a.h5"));
  EXPECT_NE(message_of([&] { reader.float32("shallow"); }).find("a.h5: shallow: HDF5 cannot open"),
            std::string::npos);
  EXPECT_NE(message_of([&] { reader.int64("values"); }).find("want int64, found float32"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              reader.float32_block("values", {2, 0}, {2, 1});
            }).find("outside"),
            std::string::npos);
  EXPECT_NE(message_of([&] { reader.text_attribute("seed"); }).find("/@seed: want a text"),
            std::string::npos);
  EXPECT_EQ(message_of([&] { reader.texts("values"); }).find('\n'), std::string::npos);
}

TEST(Hdf5, WritesPlacesInBlocksAndLeavesTheOthersNaN) {
  const Folder folder;
  Writer writer;
  writer.coordinate("prompt", std::vector<std::int32_t>{}, {}, true);
  writer.dimension("width", 2);
  writer.variable("x", {"prompt", "width"}, Type::float32,
                  {.chunk = {1, 2}, .compress = true, .growing = true});
  writer.variable("label", {"prompt"}, Type::text, {.chunk = {4}, .growing = true});
  for (const auto* name : {"prompt", "x", "label"}) writer.extend(name, 3);
  writer.write("prompt", {0}, {3}, std::vector<std::int32_t>{0, 1, 2});
  writer.write("x", {1, 0}, {1, 2}, std::vector<float>{4, 5});
  writer.write("label", {2}, {1}, std::vector<std::string>{"last"});
  publish(folder / "a.h5", writer);
  const Reader reader(folder / "a.h5");
  const auto x = reader.float32("x");
  EXPECT_TRUE(std::isnan(x[0]) && std::isnan(x[5]));
  EXPECT_EQ(x[3], 5);
  EXPECT_EQ(reader.texts("label"), (std::vector<std::string>{"", "", "last"}));
}

TEST(Hdf5, RefusesTextsThatOtherReadersWouldStumbleOver) {
  Writer writer;
  EXPECT_THROW(writer.dataset("a", {1}, std::vector<std::string>{std::string("a\0b", 3)}), IoError);
  EXPECT_THROW(writer.dataset("b", {1}, std::vector<std::string>{"\xff"}), IoError);
  EXPECT_EQ(storable_text(std::string("a\0\xff\xe2\x82z", 6)),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "\xEF\xBF\xBDz");
  EXPECT_EQ(storable_text("日本 ok"), "日本 ok");
}

TEST(Hdf5, AnErrorCarriesTheReasonsOfHdf5) {
  Writer writer;
  writer.dataset("a", {1}, std::vector<float>{1});
  try {
    writer.dataset("a", {1}, std::vector<float>{1});
    FAIL() << "a name was used twice";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("name already exists"), std::string::npos)
        << error.what();
  }
}

TEST(Hdf5, ATruncatedFileIsOneClearError) {
  const Folder folder;
  const auto bytes = bytes_of(write_sample(folder / "a.h5"));
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const auto size =
        i < 100 ? bytes.size() - 1 - static_cast<std::size_t>(i) : random() % (bytes.size() - 1);
    spit(folder / "b.h5", bytes.substr(0, size));
    EXPECT_NE(message_of([&] { const Reader reader(folder / "b.h5"); }).find("b.h5: "),
              std::string::npos)
        << size;
  }
}

TEST(Hdf5, AFlippedBitIsAlwaysDetectedBeforeHdf5SeesIt) {
  const Folder folder;
  const auto bytes = bytes_of(write_sample(folder / "a.h5"));
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    auto changed = bytes;
    const auto place = random() % bytes.size();
    changed[place] = static_cast<char>(changed[place] ^ (1 << (random() % 8)));
    spit(folder / "b.h5", changed);
    EXPECT_NE(message_of([&] { const Reader reader(folder / "b.h5"); }).find("b.h5: "),
              std::string::npos)
        << place;
  }
}

TEST(Hdf5, SaysWhatIsNotAFileOfOurs) {
  const Folder folder;
  spit(folder / "a.h5", "hello, this is text");
  EXPECT_NE(message_of([&] { const Reader reader(folder / "a.h5"); }).find("another kind of file"),
            std::string::npos);
  spit(folder / "empty.h5", "");
  EXPECT_NE(message_of([&] { const Reader reader(folder / "empty.h5"); }).find("want an HDF5 file"),
            std::string::npos);
  EXPECT_THROW(Reader(folder / "absent.h5"), IoError);
  EXPECT_THROW(Reader(folder.path()), IoError);
}

TEST(Hdf5, ThreadsMayWriteAndReadAtTheSameTime) {
  const Folder folder;
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const auto path = folder / (std::to_string(t) + ".h5");
        write_sample(path);
        good += Reader(path).float32("values").at(3) == 1.0F;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

}  // namespace
}  // namespace seawall::h5
