#pragma once
// Inside store/ only: one activation file while it is filled.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/store/activations.hpp"
#include "seawall/store/hdf5.hpp"
#include "store/schema.hpp"

namespace seawall {

/// A large variable of the files: the values of a prompt are [lead..., P, width].
struct ActivationVariable {
  const char* name;
  Tensor PromptActivations::*values;
  std::vector<std::int64_t> lead;
  std::int64_t width = 0;
  h5::Attributes attributes = {};
  std::uint64_t values_a_position() const;
};
/// Those that `info` asks for.
std::vector<ActivationVariable> activation_variables(const ActivationInfo& info);

class ActivationShard {
 public:
  /// `info` must outlive the shard.
  ActivationShard(const ActivationInfo& info, std::size_t shard);
  void add(const PromptActivations& prompt);
  bool full() const;
  void publish(const std::filesystem::path& path);
  /// Bytes of values that one prompt takes before compression.
  static std::uint64_t prompt_bytes(const ActivationInfo& info);

 private:
  void put_root();
  void put_axes();
  /// A block of a variable; without `position` if there is none.
  h5::Shape block_of(std::uint64_t first, const std::vector<std::int64_t>& lead,
                     std::uint64_t positions, std::uint64_t width) const;

  const ActivationInfo& info_;
  std::size_t shard_, capacity_;
  std::uint64_t positions_;
  std::vector<ActivationVariable> variables_;
  std::vector<std::int32_t> length_, input_ids_;
  std::vector<std::uint8_t> mask_;
  std::vector<std::string> id_, category_, text_;
  h5::Writer writer_;
  SchemaWriter out_;
};

}  // namespace seawall
