#pragma once
// How a policy saves its state in a checkpoint and reads it back; each policy has its own group.
#include <string>
#include <string_view>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// Where a policy puts its state. Texts are UTF-8 without NUL.
class StateOut {
 public:
  virtual ~StateOut() = default;
  virtual void tensor(std::string_view key, const Tensor& value) = 0;
  virtual void number(std::string_view key, double value) = 0;
  virtual void text(std::string_view key, std::string_view value) = 0;
};

/// Errors of every call: DataError naming the key that is missing.
class StateIn {
 public:
  virtual ~StateIn() = default;
  virtual Tensor tensor(std::string_view key) const = 0;
  virtual double number(std::string_view key) const = 0;
  virtual std::string text(std::string_view key) const = 0;
};

}  // namespace seawall
