#pragma once
// Checkpoints: all that a run needs to continue to the same bits, published as a whole folder.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/state.hpp"
#include "seawall/core/tensor.hpp"

namespace seawall {

/// Named tensors, numbers and texts: the state of one policy, or any other state of its own. Reads
/// give copies on the CPU.
class StateGroup final : public StateOut, public StateIn {
 public:
  void tensor(std::string_view key, const Tensor& value) override;
  void number(std::string_view key, double value) override;
  void text(std::string_view key, std::string_view value) override;
  Tensor tensor(std::string_view key) const override;
  double number(std::string_view key) const override;
  std::string text(std::string_view key) const override;
  bool has(std::string_view key) const;

  std::map<std::string, Tensor, std::less<>> tensors;
  std::map<std::string, double, std::less<>> numbers;
  std::map<std::string, std::string, std::less<>> texts;
  std::string name;  // for errors
};

/// What a checkpoint holds. Tensors: fp32, fp64, bf16, fp16, int32, int64, uint8 or bool on any
/// device, restored bit for bit on the CPU in the same type.
struct CheckpointState {
  std::int64_t step = 0;    // updates made
  std::string config_hash;  // of all that makes the run; the caller compares it on resume
  NamedTensors parameters;  // under Hugging Face names
  NamedTensors optimizer;   // moments, masters, Kahan terms; names are the trainer's own, unique
  std::map<std::string, double> numbers;  // position in the data, counters
  std::map<std::string, std::vector<std::int64_t>>
      integers;  // random generators' words, epoch orders
  std::map<std::string, std::string> texts;
  std::map<std::string, StateGroup> groups;  // one a policy
  std::map<std::string, std::string>
      files;  // plain file name -> bytes, e.g. config.json, tokenizer.model
};

/// Bytes of tensors in one file of a state, if no tensor alone is larger.
inline constexpr std::uint64_t checkpoint_shard_bytes = std::uint64_t{128} << 20;

/// Publishes `folder/step-N` and points `folder/latest` at it; the newest `keep` stay. Returns the
/// checkpoint's path. The state is written in files of at most `shard_bytes`, or of one tensor,
/// each hashed and flushed before the next is made. Order: files and fsync, manifest.json last,
/// fsync of the folder, rename, fsync of the parent, `latest`, prune. Memory: one such file and its
/// tensors. Errors: IoError (nothing published is lost); RunError where a tensor's type cannot be
/// kept.
std::filesystem::path save_checkpoint(const std::filesystem::path& folder,
                                      const CheckpointState& state, int keep = 2,
                                      std::uint64_t shard_bytes = checkpoint_shard_bytes);

/// A checkpoint that was read.
struct LoadedCheckpoint {
  CheckpointState state;
  std::filesystem::path path;
  std::vector<std::string> skipped;  // why newer checkpoints were passed over, one line each
};

/// Reads `path`: one checkpoint (`.../step-N`), or the newest valid one of a folder of checkpoints.
/// Sizes and SHA-256 of the manifest are compared before a byte is parsed. Errors: DataError naming
/// the file that is missing or differs, and where no checkpoint is valid; IoError.
LoadedCheckpoint load_checkpoint(const std::filesystem::path& path);

/// The parameters and the files of a checkpoint, without optimizer and policy state.
LoadedCheckpoint load_checkpoint_parameters(const std::filesystem::path& path);

/// Compares the files of one checkpoint (`.../step-N`) with the sizes and SHA-256 of its manifest.
/// Returns how many there are. Errors: as load_checkpoint.
std::size_t verify_checkpoint(const std::filesystem::path& path);

/// True where `path` is a checkpoint or a folder with at least one.
bool is_checkpoint(const std::filesystem::path& path);

/// What every checkpoint name in `folder` says, newest first: steps whose `step-N` exists, valid or
/// not.
std::vector<std::int64_t> list_checkpoints(const std::filesystem::path& folder);

}  // namespace seawall
