#pragma once
// The shape of the drift: singular values and effective rank of W - W0, by Eigen.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/lora.hpp"

namespace seawall {

/// The drift of one weight matrix.
struct DriftSpectrum {
  std::string name;
  double frobenius = 0;  // L2 norm of W - W0
  /// exp of the entropy of the normalised singular values; 0 where nothing moved, NaN where only
  /// the leading ones are known.
  double effective_rank = 0;
  std::vector<double> singular;  // the largest `top`, falling, padded with 0
};

/// `all` singular values by the Gram matrix of the smaller side (n, fp64, O(n^2) memory and O(n^3)
/// time), or the `leading` ones by random projections in fp32 on the tensors' device: never too
/// large, and within 1 % where values fall off. Source: Halko, Martinsson and Tropp 2011, algorithm
/// 4.4 with two iterations and ten more projections than values.
enum class SpectrumOf { all, leading };

/// Spectra of every two-dimensional tensor that both lists hold, in the order of `now`.
/// Memory: the difference of one tensor, and what `of` says. Source: effective rank of Roy and
/// Vetterli 2007, eq. 3. Errors: RunError where a name or shape differs.
std::vector<DriftSpectrum> drift_spectra(const NamedTensors& start, const NamedTensors& now,
                                         SpectrumOf of = SpectrumOf::all, std::int64_t top = 16);
/// The same, exactly, of products of an adapter, whose weights are never made. Memory: the factors
/// of one product. Errors: as above.
std::vector<DriftSpectrum> product_spectra(const std::vector<Adapter::Pair>& start,
                                           const std::vector<Adapter::Pair>& now,
                                           std::int64_t top = 16);

}  // namespace seawall
