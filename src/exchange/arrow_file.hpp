#pragma once
// Inside exchange/ only: a data set's file as Hugging Face's `datasets` has it.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

/// Columns of matrices (context, width) f32, typed Array2D, and `token_ids` (context) i32.
struct ArrowColumns {
  std::vector<std::string> matrices;
  std::int64_t context = 0, width = 0;
};

/// Appends batches of rows to a stream of record batches.
/// Source: Apache Arrow, "IPC streaming format", metadata version 5 (Schema.fbs, Message.fbs).
class ArrowFile {
 public:
  /// `features`: JSON of the columns, kept in the schema. Errors: IoError.
  ArrowFile(const std::filesystem::path& path, ArrowColumns columns, const std::string& features);
  /// Adds rows. Shapes: matrices[column] [rows, context, width]; tokens [rows, context].
  /// Errors: IoError.
  void add(std::span<const std::vector<float>> matrices, const std::vector<std::int32_t>& tokens);
  /// Errors: IoError.
  void close();

 private:
  void put(std::string_view bytes);
  /// A message: its length, its flat buffer and the body that belongs to it.
  void put_message(std::string_view flat, std::span<const std::string_view> body);
  void check();
  std::filesystem::path path_;
  ArrowColumns columns_;
  std::ofstream out_;
};

}  // namespace seawall
