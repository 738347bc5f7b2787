#include "seawall/eval/spectra.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sub.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

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

using Matrix = Eigen::MatrixXd;

Matrix on_host(const Tensor& t) {
  const Tensor x = t.to(at::kCPU, at::kDouble).t().contiguous();  // Eigen's columns are our rows
  return Eigen::Map<const Matrix>(x.const_data_ptr<double>(), t.size(0), t.size(1));
}

/// Orthonormal columns that span those of `x`. Shapes: [n,k], on its device and in its type.
Tensor orthonormal(const Tensor& x) {
  const Eigen::HouseholderQR<Matrix> qr(on_host(x));
  const Matrix q = qr.householderQ() * Matrix::Identity(x.size(0), x.size(1));
  const Tensor columns = at::from_blob(const_cast<double*>(q.data()), {x.size(1), x.size(0)},
                                       at::TensorOptions(at::kDouble));
  return columns.t().to(x.options(), /*non_blocking=*/false, /*copy=*/true);
}

/// The leading singular values of `d` [m,n], at most `top` of them.
Eigen::VectorXd leading_values(const Tensor& d, std::int64_t top) {
  constexpr std::int64_t more = 10;
  const auto k = std::min({top + more, d.size(0), d.size(1)});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(20110);  // the same for every matrix
  const Tensor random =
      at::randn({d.size(1), k}, generator, at::TensorOptions(at::kFloat)).to(d.device());
  Tensor q = orthonormal(at::matmul(d, random));
  for (int i = 0; i < 2; ++i) q = orthonormal(at::matmul(d, orthonormal(at::matmul(d.t(), q))));
  const Matrix small = on_host(at::matmul(q.t(), d));  // [k,n]
  Eigen::VectorXd values = Eigen::BDCSVD<Matrix>(small * small.transpose()).singularValues();
  return values.cwiseMax(0).cwiseSqrt().head(std::min<Eigen::Index>(top, values.size()));
}

DriftSpectrum spectrum_of(std::string name, const Eigen::VectorXd& singular, std::int64_t top) {
  DriftSpectrum s;
  s.name = std::move(name);
  s.frobenius = singular.norm();
  s.effective_rank = effective_rank(singular);
  s.singular.assign(static_cast<std::size_t>(top), 0.0);
  std::copy_n(singular.begin(), std::min<Eigen::Index>(top, singular.size()), s.singular.begin());
  return s;
}

}  // namespace

std::vector<DriftSpectrum> drift_spectra(const NamedTensors& start, const NamedTensors& now,
                                         SpectrumOf of, std::int64_t top) {
  if (start.size() != now.size())
    throw RunError("drift spectra: want as many tensors at the start as now, got " +
                   std::to_string(start.size()) + " and " + std::to_string(now.size()));
  std::vector<DriftSpectrum> out;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (start[i].name != now[i].name || start[i].tensor.sizes() != now[i].tensor.sizes())
      throw RunError("drift spectra: " + now[i].name + " does not match " + start[i].name +
                     " of the start");
    if (now[i].tensor.dim() != 2) continue;
    const auto wide = [&](const Tensor& t) {
      return of == SpectrumOf::all ? t.detach().to(at::kCPU, at::kDouble)
                                   : t.detach().to(now[i].tensor.device(), at::kFloat);
    };
    const Tensor difference = at::sub(wide(now[i].tensor), wide(start[i].tensor)).contiguous();
    if (of == SpectrumOf::all) {
      out.push_back(spectrum_of(now[i].name, singular_values(difference), top));
      continue;
    }
    out.push_back(spectrum_of(now[i].name, leading_values(difference, top), top));
    out.back().frobenius = at::linalg_vector_norm(difference).item<double>();
    if (out.back().frobenius > 0)
      out.back().effective_rank = std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

std::vector<DriftSpectrum> product_spectra(const std::vector<Adapter::Pair>& start,
                                           const std::vector<Adapter::Pair>& now,
                                           std::int64_t top) {
  if (start.size() != now.size())
    throw RunError("drift spectra: want as many products at the start as now, got " +
                   std::to_string(start.size()) + " and " + std::to_string(now.size()));
  std::vector<DriftSpectrum> out;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto &was = start[i], &is = now[i];
    if (was.name != is.name || was.left.size(0) != is.left.size(0) ||
        was.right.size(1) != is.right.size(1))
      throw RunError("drift spectra: " + is.name + " does not match " + was.name + " of the start");
    // [B, -B0] [A; A0]: with thin factorizations Q R of both, the values are those of R R^T.
    const Tensor left = at::cat({is.left, was.left.neg()}, 1),
                 right = at::cat({is.right, was.right}, 0);
    const auto triangle = [](const Matrix& x) -> Matrix {
      const Eigen::HouseholderQR<Matrix> qr(x);
      const auto k = std::min(x.rows(), x.cols());
      return qr.matrixQR().topRows(k).triangularView<Eigen::Upper>();
    };
    const Matrix core = triangle(on_host(left)) * triangle(on_host(right.t())).transpose();
    out.push_back(spectrum_of(is.name, Eigen::BDCSVD<Matrix>(core).singularValues(), top));
  }
  return out;
}

}  // namespace seawall
