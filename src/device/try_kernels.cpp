// Each kernel against its plain twin on the device, before it is trusted: both are measured by how
// far they are from the twin in fp32, and a kernel may be twice as far as its twin is.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include "device/kernels.hpp"
#include "seawall/core/error.hpp"

namespace seawall::device {
namespace {

/// What fp32 and bf16 may lose where the twin loses nothing: some roundings of 2^-24, one of 2^-8.
double least(at::ScalarType type) { return type == at::kBFloat16 ? 4e-3 : 4e-6; }

class Trial {
 public:
  Trial(KernelSet& set, const c10::Device& device) : set_(set), device_(device) {}

  bool adamw() {
    bool good = true;
    for (const auto type : {at::kFloat, at::kBFloat16})
      for (const auto& [gradient, start] :
           {std::pair(type, type), std::pair(at::kBFloat16, type), std::pair(type, at::kBFloat16),
            std::pair(at::kBFloat16, at::kBFloat16)})
        for (const bool kahan : {false, true})
          for (const std::int64_t n :
               {8 * 2500, 777})  // in packs and one at a time, of some blocks
            if (!kahan || type == at::kBFloat16)
              good = good && adamw_of(n, type, gradient, start, kahan, 1) &&
                     adamw_of(n, type, gradient, start, kahan, 0);
    return good;
  }

  bool rms_norm() {
    bool good = true;
    for (const auto& [type, of_weight] :
         {std::pair(at::kFloat, at::kFloat), std::pair(at::kBFloat16, at::kBFloat16),
          std::pair(at::kBFloat16, at::kFloat)}) {
      const Tensor x = values({37, 4104}, 0.37, type), w = values({4104}, 0.11, of_weight),
                   dy = values({37, 4104}, 0.23, type);
      const Tensor x32 = wide(x), w32 = wide(w);
      const auto got = launched::rms_norm(set_, x, w, 1e-5);
      const auto [twin, inverse] = plain::rms_norm(x, w, 1e-5);
      const auto [truth, inverse32] = plain::rms_norm(x32, w32, 1e-5);
      if (!got) return false;
      good = good && near(std::get<0>(*got), twin, truth, type) &&
             near(std::get<1>(*got), inverse, inverse32, at::kFloat);
      for (const bool both : {true, false}) {
        const auto back = launched::rms_norm_backward(set_, dy, x, w, inverse, both);
        const auto [dx, dw] = plain::rms_norm_backward(dy, x, w, inverse, both);
        const auto [dx32, dw32] = plain::rms_norm_backward(wide(dy), x32, w32, inverse32, both);
        if (!back) return false;
        good = good && near(std::get<0>(*back), dx, dx32, type) &&
               (!both || near(std::get<1>(*back), dw, dw32, of_weight));
      }
    }
    return good;
  }

  bool rotary() {
    bool good = true;
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const Tensor x = values({37, 6, 80}, 0.37, type);
      const Tensor angle = (values({37, 1, 40}, 0.05, at::kFloat) * 3).repeat({1, 1, 2});
      const Tensor cos = angle.cos().to(type), sin = angle.sin().to(type);
      for (const double turn : {1.0, -1.0}) {
        const auto got = launched::rotary(set_, x, cos, sin, turn);
        good = good && got &&
               near(*got, plain::rotary(x, cos, sin, turn),
                    plain::rotary(wide(x), wide(cos), wide(sin), turn), type);
      }
    }
    return good;
  }

  bool gate() {
    bool good = true;
    for (const auto type : {at::kFloat, at::kBFloat16})
      for (const bool gelu : {false, true}) {
        const Tensor gate = values({21, 1048}, 0.37, type) * 4, up = values({21, 1048}, 0.23, type),
                     dy = values({21, 1048}, 0.11, type);
        const auto got = launched::gated(set_, gate, up, gelu);
        const auto back = launched::gated_backward(set_, dy, gate, up, gelu);
        if (!got || !back) return false;
        const auto twin = plain::gated_backward(dy, gate, up, gelu);
        const auto truth = plain::gated_backward(wide(dy), wide(gate), wide(up), gelu);
        good = good &&
               near(*got, plain::gated(gate, up, gelu), plain::gated(wide(gate), wide(up), gelu),
                    type) &&
               near(std::get<0>(*back), std::get<0>(twin), std::get<0>(truth), type) &&
               near(std::get<1>(*back), std::get<1>(twin), std::get<1>(truth), type);
      }
    return good;
  }

  bool merge() {
    bool good = true;
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const Tensor out = values({37, 6, 80}, 0.37, type), other = values({37, 6, 80}, 0.23, type);
      const Tensor lse = (values({6, 50}, 0.7, at::kFloat) * 3).narrow(1, 5, 37),
                   other_lse = values({6, 37}, 0.9, at::kFloat) * 3;
      Tensor mine = out.clone(), twin = out.clone(), truth = wide(out);
      const auto merged = launched::merge_attention(set_, mine, lse, other, other_lse);
      if (!merged) return false;
      const Tensor twin_lse = plain::merge_attention(twin, lse, other, other_lse);
      plain::merge_attention(truth, lse, wide(other), other_lse);
      good = good && near(mine, twin, truth, type) && near(*merged, twin_lse, twin_lse, at::kFloat);
    }
    return good;
  }

 private:
  /// Values between -1 and 1 that repeat nowhere.
  Tensor values(at::IntArrayRef sizes, double step, at::ScalarType type) const {
    std::int64_t n = 1;
    for (const auto size : sizes) n *= size;
    return at::arange(n, at::TensorOptions(device_).dtype(at::kFloat))
        .mul(step)
        .add(0.3)
        .sin()
        .view(sizes)
        .to(type);
  }
  static Tensor wide(const Tensor& x) { return x.to(at::kFloat); }

  static bool near(const Tensor& got, const Tensor& twin, const Tensor& truth,
                   at::ScalarType type) {
    const auto far = [&](const Tensor& x) {
      return x.to(at::kDouble).sub(truth).abs().max().item<double>();
    };
    const double scale = truth.abs().max().item<double>();
    return got.scalar_type() == twin.scalar_type() &&
           far(got) <= std::max(2 * far(twin), least(type) * scale);  // NaN is not
  }

  bool adamw_of(std::int64_t n, at::ScalarType type, at::ScalarType gradient, at::ScalarType start,
                bool kahan, double moves) {
    AdamWTensors mine;
    mine.start = values({n}, 0.37, start);
    mine.weight = (wide(mine.start) + 0.05 * values({n}, 0.71, at::kFloat)).to(type);
    mine.gradient = values({n}, 0.23, gradient);
    mine.m = values({n}, 0.11, type);
    mine.v = values({n}, 0.13, type).square();
    if (kahan) {
      mine.term = (1e-3 * values({n}, 0.17, at::kFloat)).to(at::kBFloat16);
      mine.master = at::zeros({n}, mine.term.options().dtype(at::kFloat));
    }
    const auto clone = [](const Tensor& t) { return t.defined() ? t.clone() : t; };
    AdamWTensors twin{clone(mine.weight), mine.gradient,    clone(mine.m),     clone(mine.v),
                      mine.start,         clone(mine.term), clone(mine.master)};
    const AdamWStep step{.lr = 0.1, .weight_decay = 0.1, .updates = 3};
    const Tensor guard = at::tensor({0.5, moves}, at::kFloat).to(device_);
    const auto stored = [](const AdamWTensors& t) {
      return t.term.defined() ? t.weight.to(at::kDouble) + t.term : t.weight.to(at::kDouble);
    };
    const Tensor before = stored(mine);
    const auto facts = launched::adamw(set_, step, mine, guard);
    const Tensor twin_facts = plain_adamw(step, twin, guard);
    if (!facts) return false;
    const auto alike = [](const Tensor& got, const Tensor& want, double relative) {
      return got.to(at::kDouble).sub(want.to(at::kDouble)).abs().max().item<double>() <=
             relative * want.abs().max().item<double>();
    };
    // AdamW's step has no twin in fp32 of the same start; both round each stored value once, or
    // twice where ATen does so.
    const double relative = 2 * least(type);
    return alike(stored(mine), stored(twin), relative) && alike(mine.m, twin.m, relative) &&
           alike(mine.v, twin.v, relative) &&
           (!kahan || moves == 0 || alike(mine.master, stored(twin), relative)) &&
           facts->select(0, 0).item<double>() == stored(mine).ne(before).sum().item<double>() &&
           alike(facts->select(0, 1), stored(mine).sub(mine.start.to(at::kDouble)).square().sum(),
                 1e-5) &&
           alike(facts->select(0, 1), twin_facts.select(0, 1), 0.02);
  }

  KernelSet& set_;
  c10::Device device_;
};

}  // namespace

std::array<bool, kernel_words.size()> try_kernels(KernelSet& set, const c10::Device& device,
                                                  std::string& differ) {
  const at::NoGradGuard no_grad;
  Trial trial(set, device);
  const std::array<bool (Trial::*)(), kernel_words.size()> trials{
      &Trial::adamw, &Trial::rms_norm, &Trial::rotary, &Trial::gate, &Trial::merge};
  std::array<bool, kernel_words.size()> good{};
  for (std::size_t k = 0; k < trials.size(); ++k) {
    good[k] = (trial.*trials[k])();
    if (!good[k]) differ += (differ.empty() ? "" : ", ") + std::string(kernel_words[k]);
  }
  return good;
}

}  // namespace seawall::device
