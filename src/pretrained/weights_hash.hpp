#pragma once
// What a model's weights are, in 64 digits: for run files, cell keys and adapters.
#include <string>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// SHA-256 over names, shapes and the values as fp32, so that a model has one hash whatever type
/// or file holds it. The values are hashed in blocks of 2^22 on at::get_num_threads() threads, and
/// the blocks' digests in order: as many cores, so many times as fast, and the same on any number.
/// Memory: 128 KiB a thread.
std::string hash_weights(const NamedTensors& weights);
/// The same of weights that were read. Errors: DataError naming `where` and the first tensor with a
/// value that is not finite.
std::string hash_finite_weights(const NamedTensors& weights, const std::string& where);

}  // namespace seawall
