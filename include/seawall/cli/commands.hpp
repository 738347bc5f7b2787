#pragma once
// One function a command; each parses its own words and throws what goes wrong.
#include <string>
#include <vector>

#include "seawall/cli/program.hpp"

namespace seawall::commands {

using Words = std::vector<std::string>;

int run(const Program& program, const Words& words);
int evaluate(const Program& program, const Words& words);
int extract(const Program& program, const Words& words);
int reproduce(const Program& program, const Words& words);
int report(const Program& program, const Words& words);
int organism(const Program& program, const Words& words);
int convert(const Program& program, const Words& words);
int export_model(const Program& program, const Words& words);
int judge(const Program& program, const Words& words);
int judge_check(const Program& program, const Words& words);
int list(const Program& program, const Words& words);
int describe(const Program& program, const Words& words);
int check_policy(const Program& program, const Words& words);
int verify(const Program& program, const Words& words);
int seal(const Program& program, const Words& words);
int inspect(const Program& program, const Words& words);

}  // namespace seawall::commands
