#pragma once
// The shape of the drift: singular values and effective rank of W - W0, by Eigen.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// The drift of one weight matrix.
struct DriftSpectrum {
  std::string name;
  double frobenius = 0;  // L2 norm of W - W0
  double effective_rank =
      0;  // exp of the entropy of the normalised singular values; 0 where nothing moved
  std::vector<double> singular;  // the largest `top`, falling, padded with 0
};

/// Spectra of every two-dimensional tensor that both lists hold, in the order of `now`.
/// Memory: one Gram matrix of the smaller side, fp64. Source: effective rank of Roy and Vetterli
/// 2007, eq. 3. Errors: RunError where a name or shape differs.
std::vector<DriftSpectrum> drift_spectra(const NamedTensors& start, const NamedTensors& now,
                                         std::int64_t top = 16);

}  // namespace seawall
