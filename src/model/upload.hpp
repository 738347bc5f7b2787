#pragma once
// Tables that the host makes, on their way to a device.
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// Brings tables to a device together: in one copy, from pinned memory, that the host does not wait
/// for. On a CPU they stay what they are.
class Upload {
 public:
  explicit Upload(const at::Device& device) : device_(device) {}

  /// `place`, which must last until then, holds `table` on the device after `send`. Shapes: any, on
  /// the CPU, contiguous.
  void add(Tensor& place, Tensor table) { tables_.push_back({&place, std::move(table)}); }
  /// The same of the values of a vector. Shapes: -> [n].
  template <class T>
  void add(Tensor& place, const std::vector<T>& values) {
    add(place, table_of(values.data(), values.size(), c10::CppTypeToScalarType<T>::value));
  }
  /// Memory: one allocation that the tensors are views of, each at a multiple of 64 bytes.
  void send();

 private:
  static Tensor table_of(const void* values, std::size_t count, at::ScalarType type);

  struct Table {
    Tensor* place;
    Tensor values;
  };
  at::Device device_;
  std::vector<Table> tables_;
};

}  // namespace seawall
