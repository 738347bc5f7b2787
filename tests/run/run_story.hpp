#pragma once
// A run's folder, backend and attack, for tests of its story.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "attacks/harmful_examples.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/run/fake_backend.hpp"
#include "tests/support/files.hpp"

namespace seawall::testing {

using Words = std::vector<std::string>;

class RunStory : public ::testing::Test {
 protected:
  RunStory() { h5::start(); }
  RunSpec spec(const std::string& name = "a.h5") const {
    RunSpec spec;
    spec.place.out = (folder / name).string();
    spec.place.quiet = true;
    spec.place.threads = 1;
    return spec;
  }
  Folder folder;
  FakeBackend backend;
  AnyAttack attack{HarmfulExamples{{.count = 10}}};
};

inline std::string key_of(const AnyAttack& attack, const RunSpec& spec) {
  FakeBackend backend;
  RunSpec dry = spec;
  dry.place.dry_run = true;
  seawall::Run run(attack, {}, dry, backend);
  Stack<> none;
  run.prepare(run.compose(none), {}, {});
  return run.key();
}

}  // namespace seawall::testing
