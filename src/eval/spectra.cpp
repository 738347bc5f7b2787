#include "seawall/eval/spectra.hpp"

#include <ATen/ops/matmul.h>
#include <ATen/ops/sub.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// Singular values of `difference`, largest first, from the Gram matrix of the smaller side: exact
/// enough for a spectrum (values under 1e-8 of the largest are rounding), and O(C^2) memory.
Eigen::VectorXd singular_values(const Tensor& difference) {
  const Tensor d = difference.size(0) <= difference.size(1) ? difference : difference.t();
  const Tensor product = at::matmul(d, d.t()).contiguous();  // [n,n] fp64, n the smaller side
  using Map = Eigen::Map<const Eigen::MatrixXd>;
  const Map gram(product.const_data_ptr<double>(), product.size(0), product.size(1));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram, Eigen::EigenvaluesOnly);
  Eigen::VectorXd values = solver.eigenvalues().reverse();
  const double floor = values.size() > 0 ? values[0] * 1e-15 : 0;
  return values.unaryExpr([floor](double v) { return v > floor ? std::sqrt(v) : 0.0; });
}

double effective_rank(const Eigen::VectorXd& singular) {
  const double sum = singular.sum();
  if (sum <= 0) return 0;
  double entropy = 0;
  for (const double s : singular) {
    const double p = s / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

}  // namespace

std::vector<DriftSpectrum> drift_spectra(const NamedTensors& start, const NamedTensors& now,
                                         std::int64_t top) {
  if (start.size() != now.size())
    throw RunError("drift spectra: want as many tensors at the start as now, got " +
                   std::to_string(start.size()) + " and " + std::to_string(now.size()));
  std::vector<DriftSpectrum> out;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (start[i].name != now[i].name || start[i].tensor.sizes() != now[i].tensor.sizes())
      throw RunError("drift spectra: " + now[i].name + " does not match " + start[i].name +
                     " of the start");
    if (now[i].tensor.dim() != 2) continue;
    const Tensor difference = at::sub(now[i].tensor.detach().to(at::kCPU, at::kDouble),
                                      start[i].tensor.detach().to(at::kCPU, at::kDouble))
                                  .contiguous();
    const Eigen::VectorXd singular = singular_values(difference);
    DriftSpectrum s;
    s.name = now[i].name;
    s.frobenius = singular.norm();
    s.effective_rank = effective_rank(singular);
    s.singular.assign(static_cast<std::size_t>(top), 0.0);
    std::copy_n(singular.begin(), std::min<Eigen::Index>(top, singular.size()), s.singular.begin());
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace seawall
