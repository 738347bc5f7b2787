// Activations as SAELens caches them: a folder that `datasets.load_from_disk` reads.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "exchange/arrow_file.hpp"
#include "exchange/formats.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/store/activations.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* arrow_name = "data-00000-of-00001.arrow";
constexpr std::uint64_t batch_bytes = std::uint64_t{64} << 20;

/// One file of an extraction.
class Shard {
 public:
  explicit Shard(const fs::path& path) : file_(path) {
    const std::string name = path.string();
    if (!file_.has("resid_post"))
      throw DataError(name + ": holds no resid_post; extract it with --points resid_post");
    shape_ = file_.shape("resid_post");
    length_ = file_.int32("length");
    ids_ = file_.int32("input_ids");
    layers_ = file_.int32("layer");
    const bool all = shape_.size() == 4;  // positions, or the last one
    positions_ = all ? shape_[2] : 1;
    width_ = shape_.empty() ? 0 : shape_.back();
    const std::size_t prompts = length_.size(), longest = prompts == 0 ? 0 : ids_.size() / prompts;
    bool fits = (all || shape_.size() == 3) && shape_[0] == prompts &&
                shape_[1] == layers_.size() && ids_.size() == prompts * longest &&
                (!all || positions_ == longest) && width_ > 0;
    for (const auto length : length_)
      fits = fits && length > 0 && static_cast<std::size_t>(length) <= longest;
    if (!fits) throw DataError(name + ": resid_post, length and input_ids do not fit each other");
  }
  const h5::Reader& file() const { return file_; }
  std::size_t prompts() const { return length_.size(); }
  std::uint64_t width() const { return width_; }
  const std::vector<std::int32_t>& layers() const { return layers_; }
  /// The tokens of a prompt whose streams are there.
  std::vector<std::int32_t> tokens(std::size_t prompt) const {
    const auto longest = static_cast<std::ptrdiff_t>(ids_.size() / prompts());
    const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(prompt) * longest;
    const auto end = first + length_[prompt];
    return {shape_.size() == 4 ? first : end - 1, end};
  }
  /// Their streams at a layer. Shapes: [token, width].
  std::vector<float> streams(std::size_t prompt, std::size_t layer, std::size_t tokens) const {
    if (shape_.size() == 3)
      return file_.float32_block("resid_post", {prompt, layer, 0}, {1, 1, width_});
    return file_.float32_block("resid_post", {prompt, layer, 0, 0}, {1, 1, tokens, width_});
  }

 private:
  h5::Reader file_;
  h5::Shape shape_;
  std::vector<std::int32_t> length_, ids_, layers_;
  std::uint64_t positions_ = 0, width_ = 0;
};

std::string hook_name(std::int32_t layer) {
  return layer == 0 ? "hook_embed" : "blocks." + std::to_string(layer - 1) + ".hook_resid_post";
}

/// The columns, as `datasets` describes them. `Sequence` is what every version of it reads.
ordered_json features_of(const ArrowColumns& columns) {
  ordered_json out;
  for (const auto& name : columns.matrices)
    out[name] = {
        {"shape", {columns.context, columns.width}}, {"dtype", "float32"}, {"_type", "Array2D"}};
  out["token_ids"] = {{"feature", {{"dtype", "int32"}, {"_type", "Value"}}},
                      {"length", columns.context},
                      {"_type", "Sequence"}};
  return out;
}

/// Collects tokens into rows, and rows into batches.
class RowPacker {
 public:
  RowPacker(const fs::path& path, const ArrowColumns& columns, const std::string& features)
      : out_(path, columns, features), streams_(columns.matrices.size()) {
    const auto row = static_cast<std::uint64_t>(columns.context * columns.width) *
                     columns.matrices.size() * sizeof(float);
    row_tokens_ = static_cast<std::size_t>(columns.context);
    width_ = static_cast<std::size_t>(columns.width);
    batch_rows_ = static_cast<std::size_t>(std::max<std::uint64_t>(1, batch_bytes / row));
  }
  void add(const Shard& shard, std::size_t prompt) {
    const auto tokens = shard.tokens(prompt);
    for (std::size_t l = 0; l < streams_.size(); ++l) {
      const auto values = shard.streams(prompt, l, tokens.size());
      if (std::ranges::any_of(values, [](float v) { return std::isnan(v); }))
        throw DataError(shard.file().path().string() + ": resid_post of prompt " +
                        std::to_string(prompt) + " holds NaN among its tokens");
      streams_[l].insert(streams_[l].end(), values.begin(), values.end());
    }
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    while (tokens_.size() >= batch_rows_ * row_tokens_) put(batch_rows_);
  }
  /// Writes the full rows that are left; returns the tokens that fill none.
  std::size_t close() {
    if (const auto rows = tokens_.size() / row_tokens_; rows > 0) put(rows);
    out_.close();
    return tokens_.size();
  }
  std::size_t rows() const { return rows_; }
  std::string fingerprint() { return sha_.hex().substr(0, 16); }

 private:
  void put(std::size_t rows) {
    const auto count = rows * row_tokens_;
    const auto cut = [](auto& from, std::size_t size) {
      const auto end = from.begin() + static_cast<std::ptrdiff_t>(size);
      std::remove_reference_t<decltype(from)> first(from.begin(), end);
      from.erase(from.begin(), end);
      return first;
    };
    std::vector<std::vector<float>> matrices;
    for (auto& all : streams_) matrices.push_back(cut(all, count * width_));
    const auto tokens = cut(tokens_, count);
    for (const auto& matrix : matrices) sha_.update(matrix.data(), matrix.size() * sizeof(float));
    sha_.update(tokens.data(), tokens.size() * sizeof(std::int32_t));
    out_.add(matrices, tokens);
    rows_ += rows;
  }

  ArrowFile out_;
  Sha256 sha_;
  std::vector<std::vector<float>> streams_;  // of each layer [token, width]
  std::vector<std::int32_t> tokens_;
  std::size_t row_tokens_ = 0, width_ = 0, batch_rows_ = 0, rows_ = 0;
};

}  // namespace

std::string write_saelens(const fs::path& first, std::int64_t context, const fs::path& place) {
  const auto files = activation_files(first);
  ArrowColumns columns;
  std::optional<RowPacker> packer;
  std::string config;
  for (const auto& path : files) {
    const Shard shard(path);
    if (!packer) {
      if (std::get<std::int64_t>(shard.file().attribute("shard")) != 0)
        throw DataError(path.string() +
                        ": is not the first file of its extraction; name that one, without a "
                        "number at its end");
      columns.context = context;
      columns.width = static_cast<std::int64_t>(shard.width());
      for (const auto layer : shard.layers()) columns.matrices.push_back(hook_name(layer));
      config = shard.file().text("config_json");
      packer.emplace(place / arrow_name, columns,
                     ordered_json{{"info", {{"features", features_of(columns)}}}}.dump());
    } else if (shard.file().text("config_json") != config ||
               shard.layers().size() != columns.matrices.size() ||
               static_cast<std::int64_t>(shard.width()) != columns.width) {
      throw DataError(path.string() + ": is of another extraction than " + first.string());
    }
    for (std::size_t prompt = 0; prompt < shard.prompts(); ++prompt) packer->add(shard, prompt);
  }
  const auto left = packer->close();
  if (packer->rows() == 0)
    throw DataError(first.string() + ": its prompts have " + std::to_string(left) +
                    " tokens in all, not one row of " + std::to_string(context) +
                    "; give --context with less");
  const ordered_json info{{"citation", ""},
                          {"description", ""},
                          {"features", features_of(columns)},
                          {"homepage", ""},
                          {"license", ""}};
  const ordered_json state{
      {"_data_files", ordered_json::array({ordered_json{{"filename", arrow_name}}})},
      {"_fingerprint", packer->fingerprint()},
      {"_format_columns", nullptr},
      {"_format_kwargs", ordered_json::object()},
      {"_format_type", nullptr},
      {"_output_all_columns", false},
      {"_split", nullptr}};
  write_file_atomically(place / "dataset_info.json", info.dump(2));
  write_file_atomically(place / "state.json", state.dump(2));
  return std::to_string(packer->rows()) + " rows of " + std::to_string(context) + " tokens, " +
         std::to_string(columns.matrices.size()) + " layers of d_in " +
         std::to_string(columns.width) + "; the last " + std::to_string(left) +
         " tokens fill no row and are left out";
}

}  // namespace seawall
