#pragma once
// For rooms that touch no tensor operator: 0.35 s a translation unit, against 2.6 s for parsing Tensor.h.
#include "pch_std.hpp"
#include "seawall/core/tensor.hpp"
