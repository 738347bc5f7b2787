#pragma once
// For code that calls tensor operators: 1.1 s a translation unit, where one ATen/ops header on
// Tensor.h alone costs 3.1 s. torch/csrc/autograd/custom_function.h stays out: GCC instantiates its
// pending templates in every user of the precompiled header (+1.5 s).
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>

#include "pch_std.hpp"
#include "seawall/core/tensor.hpp"
