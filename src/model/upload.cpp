#include "model/upload.hpp"

#include <ATen/ops/empty.h>

#include <cstring>

namespace seawall {

Tensor Upload::table_of(const void* values, std::size_t count, at::ScalarType type) {
  Tensor out = at::empty({static_cast<std::int64_t>(count)}, type);
  if (count > 0) std::memcpy(out.mutable_data_ptr(), values, out.nbytes());
  return out;
}

void Upload::send() {
  if (device_.is_cpu()) {
    for (auto& [place, values] : tables_) *place = std::move(values);
    return tables_.clear();
  }
  constexpr std::int64_t step = 64;
  std::vector<std::int64_t> begins;
  std::int64_t bytes = 0;
  for (const auto& table : tables_) {
    begins.push_back(bytes);
    bytes += (static_cast<std::int64_t>(table.values.nbytes()) + step - 1) / step * step;
  }
  const Tensor here = at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(true));
  auto* to = static_cast<char*>(here.mutable_data_ptr());
  for (std::size_t i = 0; i < tables_.size(); ++i)
    if (const Tensor& values = tables_[i].values; values.nbytes() > 0)
      std::memcpy(to + begins[i], values.const_data_ptr(), values.nbytes());
  const Tensor there = at::empty({bytes}, here.options().pinned_memory(false).device(device_));
  there.copy_(here, /*non_blocking=*/true);  // libtorch keeps pinned memory until it was read
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Tensor& values = tables_[i].values;
    *tables_[i].place = there.narrow(0, begins[i], static_cast<std::int64_t>(values.nbytes()))
                            .view(values.scalar_type())
                            .view(values.sizes());
  }
  tables_.clear();
}

}  // namespace seawall
