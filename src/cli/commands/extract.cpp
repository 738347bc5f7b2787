// `extract`: activations of any prompts, as HDF5 shards.
#include <cstdio>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/run/extract.hpp"

namespace seawall::commands {

int extract(const Program& program, const Words& words) {
  ExtractSpec options;
  CommandLine line(
      program.name + " extract --model M --prompts FILE.jsonl --out acts.h5 [options]",
      "Writes what flows through a model at every prompt. Of resid_post row 0 of `layer` "
      "is the embedding, row l the output of block l-1; attn_out and mlp_out are what "
      "each block adds to it; attention is, head by head, the share that a token gives "
      "to the first token, the system message, user and assistant turns, the template "
      "and itself.");
  line.add(options, "Options");
  line.add_list("points", "resid_post, attn_out, mlp_out, attention and logits", options.points);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (options.prompts.empty() || options.out.empty())
    throw UsageError("extract: want --prompts FILE.jsonl and --out FILE.h5");
  for (const auto& f : extract_activations(options, line.config_text()))
    std::printf("%s\n", f.string().c_str());
  return 0;
}

}  // namespace seawall::commands
