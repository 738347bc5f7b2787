#include "exchange/arrow_file.hpp"

#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <numeric>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;
using Place = flatbuffers::Offset<void>;

// Numbers of Schema.fbs and Message.fbs.
enum TypeKind : std::uint8_t { type_int = 2, type_float = 3, type_list = 12, type_fixed_list = 16 };
enum HeaderKind : std::uint8_t { header_schema = 1, header_batch = 3 };
constexpr std::int16_t version_5 = 4, single_precision = 1;

/// Where field `number` of a table is noted.
constexpr flatbuffers::voffset_t slot(int number) {
  return static_cast<flatbuffers::voffset_t>(4 + 2 * number);
}

Place table(Builder& b, auto&& fill) {
  const auto start = b.StartTable();
  fill();
  return {b.EndTable(start)};
}

Place pairs(Builder& b, const std::vector<std::pair<std::string, std::string>>& all) {
  std::vector<Place> entries;
  for (const auto& [key, value] : all) {
    const auto k = b.CreateString(key), v = b.CreateString(value);
    entries.push_back(table(b, [&] {
      b.AddOffset(slot(0), k);
      b.AddOffset(slot(1), v);
    }));
  }
  return b.CreateVector(entries).Union();
}

/// A field of a schema.
Place field(Builder& b, const std::string& name, TypeKind kind, Place type,
            const std::vector<Place>& children, Place metadata = {}) {
  const auto label = b.CreateString(name);
  const auto inside = b.CreateVector(children);
  return table(b, [&] {
    b.AddOffset(slot(0), label);
    b.AddElement<std::uint8_t>(slot(1), 1, 0);  // may hold nulls
    b.AddElement<std::uint8_t>(slot(2), kind, 0);
    b.AddOffset(slot(3), type);
    b.AddOffset(slot(5), inside);
    if (!metadata.IsNull()) b.AddOffset(slot(6), metadata);
  });
}

Place matrix_field(Builder& b, const std::string& name, const ArrowColumns& columns) {
  const auto nothing = [] {};
  const auto real = table(b, [&] { b.AddElement<std::int16_t>(slot(0), single_precision, 0); });
  const auto values = field(b, "item", type_float, real, {});
  const auto rows = field(b, "item", type_list, table(b, nothing), {values});
  const std::string shape = "[[" + std::to_string(columns.context) + ", " +
                            std::to_string(columns.width) + "], \"float32\"]";
  const auto metadata =
      pairs(b, {{"ARROW:extension:name", "datasets.features.features.Array2DExtensionType"},
                {"ARROW:extension:metadata", shape}});
  return field(b, name, type_list, table(b, nothing), {rows}, metadata);
}

Place token_field(Builder& b, const ArrowColumns& columns) {
  const auto whole = table(b, [&] {
    b.AddElement<std::int32_t>(slot(0), 32, 0);
    b.AddElement<std::uint8_t>(slot(1), 1, 0);  // signed
  });
  const auto values = field(b, "item", type_int, whole, {});
  const auto list = table(b, [&] {
    b.AddElement<std::int32_t>(slot(0), static_cast<std::int32_t>(columns.context), 0);
  });
  return field(b, "token_ids", type_fixed_list, list, {values});
}

/// Finishes a Message around `header`.
std::string_view finished(Builder& b, HeaderKind kind, Place header, std::int64_t body) {
  b.Finish(table(b, [&] {
    b.AddElement<std::int64_t>(slot(3), body, 0);
    b.AddOffset(slot(2), header);
    b.AddElement<std::int16_t>(slot(0), version_5, 0);
    b.AddElement<std::uint8_t>(slot(1), kind, 0);
  }));
  return {reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize()};
}

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// 0, step, 2 step, … : where the `count` lists of one length begin, and the last ends.
std::vector<std::int32_t> offsets(std::int64_t count, std::int64_t step) {
  std::vector<std::int32_t> out(static_cast<std::size_t>(count) + 1);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::int32_t>(i * static_cast<std::size_t>(step));
  return out;
}

constexpr std::size_t padded(std::size_t size) { return (size + 7) / 8 * 8; }

struct PairOfWords {
  std::int64_t first, second;
};  // FieldNode (length, nulls) and Buffer (offset, length)

}  // namespace

ArrowFile::ArrowFile(const std::filesystem::path& path, ArrowColumns columns,
                     const std::string& features)
    : path_(path), columns_(std::move(columns)), out_(path, std::ios::binary) {
  Builder b;
  std::vector<Place> fields;
  for (const auto& name : columns_.matrices) fields.push_back(matrix_field(b, name, columns_));
  fields.push_back(token_field(b, columns_));
  const auto all = b.CreateVector(fields);
  const auto metadata = pairs(b, {{"huggingface", features}});
  const auto schema = table(b, [&] {
    b.AddOffset(slot(1), all);
    b.AddOffset(slot(2), metadata);
  });
  put_message(finished(b, header_schema, schema, 0), {});
}

void ArrowFile::add(std::span<const std::vector<float>> matrices,
                    const std::vector<std::int32_t>& tokens) {
  const auto rows = static_cast<std::int64_t>(tokens.size()) / columns_.context;
  const auto outer = offsets(rows, columns_.context);
  const auto inner = offsets(rows * columns_.context, columns_.width);
  std::vector<PairOfWords> nodes, buffers;
  std::vector<std::string_view> body;
  std::int64_t at = 0;
  const auto node = [&](std::int64_t length) {
    nodes.push_back({length, 0});
    buffers.push_back({at, 0});  // of the nulls: there are none
  };
  const auto buffer = [&](std::string_view bytes) {
    buffers.push_back({at, static_cast<std::int64_t>(bytes.size())});
    body.push_back(bytes);
    at += static_cast<std::int64_t>(padded(bytes.size()));
  };
  for (const auto& matrix : matrices) {
    node(rows);
    buffer(bytes_of(outer));
    node(rows * columns_.context);
    buffer(bytes_of(inner));
    node(rows * columns_.context * columns_.width);
    buffer(bytes_of(matrix));
  }
  node(rows);
  node(rows * columns_.context);
  buffer(bytes_of(tokens));
  Builder b;
  const auto lengths = b.CreateVectorOfStructs(nodes), places = b.CreateVectorOfStructs(buffers);
  const auto batch = table(b, [&] {
    b.AddElement<std::int64_t>(slot(0), rows, 0);
    b.AddOffset(slot(1), lengths);
    b.AddOffset(slot(2), places);
  });
  put_message(finished(b, header_batch, batch, at), body);
}

void ArrowFile::put(std::string_view bytes) {
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  constexpr std::string_view zeros("\0\0\0\0\0\0\0\0", 8);
  const auto rest = padded(bytes.size()) - bytes.size();
  out_.write(zeros.data(), static_cast<std::streamsize>(rest));
}

void ArrowFile::put_message(std::string_view flat, std::span<const std::string_view> body) {
  const std::int32_t head[] = {-1, static_cast<std::int32_t>(padded(flat.size()))};
  put({reinterpret_cast<const char*>(head), sizeof head});
  put(flat);
  for (const auto bytes : body) put(bytes);
  check();
}

void ArrowFile::close() {
  const std::int32_t end[] = {-1, 0};
  put({reinterpret_cast<const char*>(end), sizeof end});
  out_.close();
  check();
}

void ArrowFile::check() {
  if (!out_) throw IoError(path_.string() + ": cannot write the data set; is the disk full?");
}

}  // namespace seawall
