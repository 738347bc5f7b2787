#pragma once
// What a run holds in memory, counted from sizes alone, so that a model that is not here, or does
// not fit, can be asked about.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/model/lora.hpp"
#include "seawall/train/precision.hpp"

namespace seawall {

/// A run as the count sees it. Token counts are those of the largest micro-batch.
struct MemoryQuestion {
  LlamaConfig config;
  Precision precision = Precision::fp32;
  bool cpu = true;                // else on a device, whose memory is counted
  std::int64_t loaded_bytes = 4;  // of a weight, as the model was loaded
  const Adapter* adapter = nullptr;
  bool trains = true, checkpoints = true;
  bool accumulates = false;  // several micro-batches a step
  bool hooks_write = false, after_step = false;
  bool gradients_leave = false;  // a device moves each weight as its gradient comes, full training
  bool recomputes = false;       // activation checkpointing
  bool moments_on_host = false;  // of a device
  std::int64_t tokens = 0, rows = 0, targets = 0;  // computed; wanted of the last block; predicted
  // Generation: answers at once, tokens of their prompts together, and of the longest with its
  // answer; no answers: none.
  std::int64_t answers = 0, prompt_tokens = 0, answer_tokens = 0;
};

/// Units: bytes.
struct MemoryPart {
  std::string name;
  double bytes = 0;
};
/// What is held at one time of a run.
struct MemoryPhase {
  std::string name;
  std::vector<MemoryPart> parts;
  bool on_host = false;  // besides a device's memory
  double total() const;
};

/// The phases of a run: training, moments that the host keeps, a checkpoint, an evaluation; those
/// that it does not have are left out. On a device the checkpoint is the host's. What libtorch and
/// the program themselves take is `program` on a CPU, `context` on a device.
struct MemoryEstimate {
  std::vector<MemoryPhase> phases;
  /// The one that holds the most where the weights are.
  const MemoryPhase& peak() const;
};
MemoryEstimate estimate_memory(const MemoryQuestion& question);

}  // namespace seawall
