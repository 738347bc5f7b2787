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
  h5::Shape shape_of(h5::Shape shape) const;

  const ActivationInfo& info_;
  std::size_t shard_, capacity_;
  std::uint64_t positions_;
  std::vector<std::int32_t> length_, input_ids_;
  std::vector<std::uint8_t> mask_;
  std::vector<std::string> id_, category_, text_;
  h5::Writer writer_;
  SchemaWriter out_;
};

}  // namespace seawall
