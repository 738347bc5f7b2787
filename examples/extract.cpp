// Writes the activations of any prompts from a program, as `seawall extract` does.
#include <cstdio>

#include "seawall/core/error.hpp"
#include "seawall/run/extract.hpp"
#include "seawall/store/hdf5.hpp"

using namespace seawall;

int main(int argc, char** argv) try {
  if (argc != 4) throw UsageError("usage: extract MODEL PROMPTS.jsonl OUT.h5");
  h5::start();
  ExtractSpec spec;
  spec.model.name = argv[1];
  spec.prompts = argv[2];
  spec.out = argv[3];
  spec.points = "logits,resid_post";
  spec.positions = "all";
  spec.quiet = true;
  std::string options;  // what the files keep of how they were made
  for (const auto& option : list_options(spec)) options += option.name + "=" + option.value + "\n";
  for (const auto& file : extract_activations(spec, options)) std::printf("%s\n", file.c_str());
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "extract: %s\n", error.what());
  return static_cast<int>(error.exit_code());
}
