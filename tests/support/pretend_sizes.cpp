#include "tests/support/pretend_sizes.hpp"

#include <ATen/ATen.h>

#include <map>

namespace seawall::pretend {
namespace {

using at::Tensor;
using c10::IValue;
using Args = std::vector<IValue>;

Tensor like(const Tensor& t) { return at::empty_like(t, at::MemoryFormat::Contiguous); }
Tensor sized(at::IntArrayRef sizes, const Tensor& of, at::ScalarType type) {
  return at::empty(sizes, of.options().dtype(type));
}
Tensor at_place(const Args& args, std::size_t i) { return args[i].toTensor(); }

/// Results by the name of the operator.
using Results = std::vector<Tensor> (*)(const Args&);
const std::map<std::string, Results> known{
    {"aten::_flash_attention_forward",
     [](const Args& a) {
       const Tensor q = at_place(a, 0);
       return std::vector{like(q), sized({q.size(1), q.size(0)}, q, at::kFloat),
                          sized({2}, q, at::kLong), sized({0}, q, at::kFloat),
                          sized({0}, q, at::kFloat)};
     }},
    {"aten::_flash_attention_backward",
     [](const Args& a) {
       return std::vector{like(at_place(a, 1)), like(at_place(a, 2)), like(at_place(a, 3))};
     }},
    {"aten::index_select",
     [](const Args& a) {
       auto sizes = at_place(a, 0).sizes().vec();
       sizes[static_cast<std::size_t>(a[1].toInt())] = at_place(a, 2).numel();
       return std::vector{sized(sizes, at_place(a, 0), at_place(a, 0).scalar_type())};
     }},
    {"aten::embedding_dense_backward",
     [](const Args& a) {
       const Tensor d = at_place(a, 0);
       return std::vector{sized({a[2].toInt(), d.size(-1)}, d, d.scalar_type())};
     }},
    {"aten::abs.out",
     [](const Args& a) {
       at_place(a, 1).resize_(at_place(a, 0).sizes());
       return std::vector{at_place(a, 1)};
     }},
    {"seawall::adamw",
     [](const Args& a) { return std::vector{sized({2}, at_place(a, 0), at::kDouble)}; }},
    {"seawall::rms_norm",
     [](const Args& a) {
       const Tensor x = at_place(a, 0);
       return std::vector{like(x), sized({x.numel() / x.size(-1)}, x, at::kFloat)};
     }},
    {"seawall::rms_norm_backward",
     [](const Args& a) {
       return std::vector{like(at_place(a, 1)), a[4].toBool() ? like(at_place(a, 2)) : Tensor()};
     }},
    {"seawall::rotary", [](const Args& a) { return std::vector{like(at_place(a, 0))}; }},
    {"seawall::gated", [](const Args& a) { return std::vector{like(at_place(a, 0))}; }},
    {"seawall::gated_backward",
     [](const Args& a) {
       return std::vector{like(at_place(a, 1)), like(at_place(a, 2))};
     }},
    {"seawall::merge_attention", [](const Args& a) { return std::vector{like(at_place(a, 3))}; }},
};

}  // namespace

void call_for_sizes(const c10::OperatorHandle& op, const std::string& name,
                    torch::jit::Stack& stack) {
  const auto& schema = op.schema();
  const std::size_t count = schema.arguments().size();
  const auto found = known.find(name);
  if (found == known.end() && op.hasKernelForDispatchKey(c10::DispatchKey::Meta))
    return op.callBoxed(stack);
  const Args args(stack.end() - static_cast<std::ptrdiff_t>(count), stack.end());
  torch::jit::drop(stack, count);
  if (found != known.end()) {
    for (const Tensor& t : found->second(args)) stack.emplace_back(t);
    return;
  }
  std::size_t given = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* alias = schema.arguments()[i].alias_info();
    if (alias == nullptr || !alias->isWrite() || schema.returns().empty()) continue;
    TORCH_CHECK(!args[i].isTensor() || args[i].toTensor().numel() > 0, "pretend device: sizes of ",
                name, " are not known");
    stack.push_back(args[i]);  // what it writes is what it returns
    ++given;
  }
  TORCH_CHECK(given == schema.returns().size(), "pretend device: sizes of ", name,
              " are not known");
}

Product product_of(const std::string& name, const Args& args) {
  const bool added = name.starts_with("aten::addmm") || name.starts_with("aten::baddbmm");
  const bool one = name.starts_with("aten::mm") || name.starts_with("aten::addmm");
  if (!one && !name.starts_with("aten::bmm") && !added) return {};
  const Tensor a = at_place(args, added ? 1 : 0), b = at_place(args, added ? 2 : 1);
  return one ? Product{a.size(0), b.size(1), a.size(1), 1}
             : Product{a.size(1), b.size(2), a.size(2), a.size(0)};
}

Pairs pairs_of(bool backward, const Args& args,
               const std::function<Tensor(const Tensor&)>& values) {
  const std::size_t at = backward ? 6 : 3;
  const Tensor queries = values(at_place(args, at)), keys = values(at_place(args, at + 1));
  const bool causal = args[backward ? 11 : 8].toBool();
  const Tensor used = backward || args[13].isNone() ? Tensor() : values(args[13].toTensor());
  const int *q = queries.const_data_ptr<int>(), *k = keys.const_data_ptr<int>();
  Pairs out;
  for (std::int64_t s = 0; s + 1 < queries.numel(); ++s) {
    const std::int64_t n = q[s + 1] - q[s],
                       m = used.defined() ? used.const_data_ptr<int>()[s] : k[s + 1] - k[s];
    // The last query sees all keys, each one before it one key less.
    out.seen += causal ? n * m - n * (n - 1) / 2 : n * m;
    out.keys += m;
  }
  return out;
}

}  // namespace seawall::pretend
