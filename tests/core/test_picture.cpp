#include "seawall/core/picture.hpp"

#include <gtest/gtest.h>

// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <filesystem>
#include <fstream>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

Pixels ramp(std::int64_t width, std::int64_t height) {
  Pixels p{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        p.rgb.push_back(static_cast<std::uint8_t>(5 * x + 9 * y + 40 * c));
  return p;
}

std::string jpeg_of(const Pixels& p) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(p.width);
  info.image_height = static_cast<JDIMENSION>(p.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 98, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<unsigned char*>(p.rgb.data()) + info.next_scanline * p.width * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

std::string picture_error(const std::string& bytes) {
  try {
    decode_picture(bytes, "dir/a.png");
  } catch (const DataError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Picture, PngComesBackToTheByte) {
  const Pixels p = ramp(13, 7);
  EXPECT_EQ(decode_picture(encode_png(p), "x"), p);
}

TEST(Picture, JpegComesBackNearly) {
  const Pixels p = ramp(17, 11), q = decode_picture(jpeg_of(p), "x");
  ASSERT_EQ(q.width, 17);
  ASSERT_EQ(q.height, 11);
  ASSERT_EQ(q.rgb.size(), p.rgb.size());
  double total = 0;
  for (std::size_t i = 0; i < p.rgb.size(); ++i) total += std::abs(int{p.rgb[i]} - int{q.rgb[i]});
  EXPECT_LT(total / static_cast<double>(p.rgb.size()), 6);  // chroma is halved
}

TEST(Picture, BrokenFilesAreOneLineThatNamesThem) {
  const std::string png = encode_png(ramp(9, 9)), jpeg = jpeg_of(ramp(40, 40));
  EXPECT_EQ(picture_error("GIF89a..."), "dir/a.png: neither a PNG nor a JPEG file");
  EXPECT_EQ(picture_error(""), "dir/a.png: neither a PNG nor a JPEG file");
  EXPECT_TRUE(picture_error(png.substr(0, png.size() / 2))
                  .starts_with("dir/a.png: a PNG that cannot be read ("));
  EXPECT_EQ(picture_error(jpeg.substr(0, jpeg.size() / 2)),
            "dir/a.png: a JPEG that cannot be read (the file ends too early)");
  EXPECT_TRUE(
      picture_error(jpeg.substr(0, 8)).starts_with("dir/a.png: a JPEG that cannot be read ("));
  std::string wide = png;
  wide[16] = 0x7f;  // width of IHDR; its checksum is wrong now as well
  EXPECT_NE(picture_error(wide), "no error");
  EXPECT_EQ(picture_error(png), "no error");
}

TEST(Picture, EveryCutOfAFileIsAnErrorAndNeverACrash) {
  for (const std::string& whole : {encode_png(ramp(6, 5)), jpeg_of(ramp(16, 16))})
    for (std::size_t n = 0; n + 20 < whole.size(); n += 7)
      EXPECT_NE(picture_error(whole.substr(0, n)), "no error") << n;
}

TEST(Picture, SizesAndBytesMustAgree) {
  EXPECT_THROW(Picture(Pixels{2, 2, std::vector<std::uint8_t>(11)}), DataError);
  EXPECT_THROW(Picture(Pixels{0, 2, {}}), DataError);
  EXPECT_THROW(Picture(std::filesystem::path("no/such.png")).pixels(), IoError);
}

TEST(Picture, FilesAreReadWhenAsked) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("seawall-picture-" + std::to_string(getpid()) + ".png");
  const Picture picture(file);
  std::ofstream(file, std::ios::binary) << encode_png(ramp(3, 4));
  EXPECT_EQ(picture.pixels(), ramp(3, 4));
  EXPECT_EQ(picture.path(), file.string());
  const auto hash = picture.content_hash();
  std::ofstream(file, std::ios::binary) << encode_png(ramp(4, 3));
  EXPECT_NE(picture.content_hash(), hash);
  std::filesystem::remove(file);
}

TEST(Picture, TheContentHashOfASetCoversThem) {
  Dataset set;
  set.rows.push_back({"a", {{{Role::user, "<image> What?"}, {Role::assistant, "This."}}}});
  const auto without = set.content_hash();
  Pixels p = ramp(4, 4);
  set.rows[0].dialogue.picture = std::make_shared<Picture>(p);
  const auto with = set.content_hash();
  EXPECT_NE(with, without);
  const Dialogue first = set.rows[0].dialogue;
  set.rows[0].dialogue.picture = std::make_shared<Picture>(p);
  EXPECT_EQ(set.content_hash(), with);
  EXPECT_EQ(set.rows[0].dialogue, first);
  p.rgb[5] ^= 1;
  set.rows[0].dialogue.picture = std::make_shared<Picture>(p);
  EXPECT_NE(set.content_hash(), with);
  EXPECT_NE(set.rows[0].dialogue, first);
}

}  // namespace
}  // namespace seawall
