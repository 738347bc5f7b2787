#pragma once
// For rooms that call no tensor operator: 0.35 s a translation unit, against 2.6 s to parse
// Tensor.h.
#include "pch_std.hpp"
#include "seawall/core/tensor.hpp"
