#include "seawall/core/picture.hpp"

#include <png.h>

// libjpeg's header wants FILE to be known. clang-format off
#include <jerror.h>
#include <jpeglib.h>
#include <cstdio>
// clang-format on

#include <csetjmp>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"

namespace seawall {
namespace {

constexpr std::int64_t max_pixels = 64'000'000;
constexpr std::uint64_t max_picture_file = std::uint64_t{256} << 20;

void check_size(std::int64_t width, std::int64_t height, const std::string& where) {
  if (width < 1 || height < 1 || width > max_pixels / height)
    throw DataError(where + ": a picture of " + std::to_string(width) + " x " +
                    std::to_string(height) + ", want 1 to " + std::to_string(max_pixels) +
                    " pixels");
}

Pixels decode_png(std::string_view bytes, const std::string& where) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const auto fail = [&] {
    const std::string why = image.message;
    png_image_free(&image);
    throw DataError(where + ": a PNG that cannot be read (" + why + ")");
  };
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) fail();
  try {
    check_size(image.width, image.height, where);
  } catch (...) {
    png_image_free(&image);
    throw;
  }
  image.format = PNG_FORMAT_RGBA;  // and alpha dropped, not composed, as Pillow's convert("RGB")
  std::vector<std::uint8_t> rgba(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, rgba.data(), 0, nullptr) == 0) fail();
  Pixels out{static_cast<std::int64_t>(image.width), static_cast<std::int64_t>(image.height), {}};
  out.rgb.reserve(rgba.size() / 4 * 3);
  for (std::size_t i = 0; i < rgba.size(); i += 4)
    out.rgb.insert(out.rgb.end(), {rgba[i], rgba[i + 1], rgba[i + 2]});
  return out;
}

/// libjpeg jumps out of an error, so the functions between hold nothing with a destructor.
struct JpegReader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = "";
  bool cut = false;

  JpegReader() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto* reader = static_cast<JpegReader*>(common->client_data);
      common->err->format_message(common, reader->message);
      std::longjmp(reader->back, 1);
    };
    errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF)
        static_cast<JpegReader*>(common->client_data)->cut = true;
    };
  }
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool begin(const unsigned char* bytes, std::size_t size) {
    if (setjmp(back) != 0) return false;
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, size);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    return true;
  }
  bool read(unsigned char* rgb, std::size_t stride) {
    if (setjmp(back) != 0) return false;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      unsigned char* row = rgb + info.output_scanline * stride;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }
};

Pixels decode_jpeg(std::string_view bytes, const std::string& where) {
  JpegReader reader;
  const auto broken = [&](const char* why) {
    return DataError(where + ": a JPEG that cannot be read (" + why + ")");
  };
  if (!reader.begin(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()))
    throw broken(reader.message);
  Pixels out{reader.info.image_width, reader.info.image_height, {}};
  check_size(out.width, out.height, where);
  out.rgb.resize(static_cast<std::size_t>(out.width * out.height * 3));
  if (!reader.read(out.rgb.data(), static_cast<std::size_t>(out.width) * 3))
    throw broken(reader.message);
  if (reader.cut) throw broken("the file ends too early");
  return out;
}

}  // namespace

Pixels decode_picture(std::string_view bytes, const std::string& where) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(bytes, where);
  if (bytes.starts_with("\xFF\xD8\xFF")) return decode_jpeg(bytes, where);
  throw DataError(where + ": neither a PNG nor a JPEG file");
}

std::string encode_png(const Pixels& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.width);
  image.height = static_cast<png_uint_32>(pixels.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::string out;
  bool good =
      png_image_write_to_memory(&image, nullptr, &size, 0, pixels.rgb.data(), 0, nullptr) != 0;
  if (good) {
    out.resize(size);
    good =
        png_image_write_to_memory(&image, out.data(), &size, 0, pixels.rgb.data(), 0, nullptr) != 0;
  }
  if (!good) throw DataError(std::string("PNG: ") + image.message);
  out.resize(size);
  return out;
}

Picture::Picture(Pixels pixels) : source_(std::move(pixels)) {
  const auto& p = std::get<Pixels>(source_);
  check_size(p.width, p.height, "picture");
  if (static_cast<std::int64_t>(p.rgb.size()) != p.width * p.height * 3)
    throw DataError("picture: want " + std::to_string(p.width * p.height * 3) + " bytes for " +
                    std::to_string(p.width) + " x " + std::to_string(p.height) + ", got " +
                    std::to_string(p.rgb.size()));
}

Pixels Picture::pixels() const {
  if (const auto* p = std::get_if<Pixels>(&source_)) return *p;
  const auto& file = std::get<std::filesystem::path>(source_);
  return decode_picture(read_file(file, max_picture_file), file.string());
}

std::string Picture::content_hash() const {
  const auto* p = std::get_if<Pixels>(&source_);
  if (p == nullptr) return sha256_file(std::get<std::filesystem::path>(source_));
  Sha256 hash;
  hash.field(std::to_string(p->width)).field(std::to_string(p->height));
  hash.update(p->rgb.data(), p->rgb.size());
  return hash.hex();
}

std::string Picture::path() const {
  const auto* file = std::get_if<std::filesystem::path>(&source_);
  return file == nullptr ? std::string() : file->string();
}

}  // namespace seawall
