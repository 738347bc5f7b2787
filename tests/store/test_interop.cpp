#include <sys/wait.h>

#include <cstdio>

#include "sample.hpp"
#include "seawall/store/activations.hpp"
#include "tests/support/assets.hpp"

namespace seawall {
namespace {

using namespace testing;

/// Runs a command line and returns its exit code and all it printed.
std::pair<int, std::string> output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  char part[4096];
  for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, pipe)) > 0;) text.append(part, n);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

std::string quoted(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

void write_files(const Folder& folder) {
  RunFile run(folder / "run.h5", sample_info());
  run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::harmfulness));
  run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::utility, 5));
  for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
  auto last = sample_evaluation(3, "triggered", ProbeSet::harmfulness);
  last.residual.reset();
  run.on_evaluation(std::move(last));
  run.set_spectra({{"w"}, {{3, 2, 1}}, {2.5}});
  run.publish(true);

  ActivationInfo info;
  info.layers = 2;
  info.d_model = 4;
  info.all_positions = true;
  info.max_length = 3;
  info.prompts = 2;
  info.source_dtype = "bfloat16";
  ActivationWriter writer(folder / "acts.h5", info);
  writer.add({"a", "c", "text", {1, 2, 3}, at::zeros({2, 3, 4}), {}});
  writer.add({"harmfulness/1",
              "c",
              "text",
              {5, 6},
              at::arange(16, at::kFloat).reshape({2, 2, 4}) + 100,
              {}});
  writer.close();

  const auto checkpoint = save_checkpoint(folder / "c", sample_state(10));
  std::filesystem::copy(checkpoint / "state.h5", folder / "state.h5");
}

TEST(Interop, PythonReadsWhatWeWrite) {
  const auto python = testing::oracle_python();
  if (!python)
    GTEST_SKIP() << "no Python with h5py and xarray: run `make setup-test`, or set SEAWALL_ORACLE";
  const Folder folder;
  write_files(folder);
  const auto [code, text] =
      output_of(quoted(*python) + " " +
                quoted(std::filesystem::path(SEAWALL_SOURCE_DIR) / "tests/interop/read_files.py") +
                " " + quoted(folder.path()));
  EXPECT_EQ(code, 0) << text;
  EXPECT_NE(text.find("interop ok"), std::string::npos) << text;
}

TEST(Interop, NcdumpReadsARunFile) {
  if (output_of("command -v ncdump").first != 0) GTEST_SKIP() << "ncdump is not installed";
  const Folder folder;
  write_files(folder);
  const auto [code, text] = output_of("ncdump -h " + quoted(folder / "run.h5"));
  EXPECT_EQ(code, 0) << text;
  EXPECT_NE(text.find("double param_drift(step, parameter)"), std::string::npos) << text;
}

/// fsync of a file comes before its rename, fsync of the folder after; the manifest comes last; the
/// old checkpoint goes at the end.
TEST(Interop, SystemCallsComeInTheOrderThatSurvivesPowerLoss) {
  if (::getenv("SEAWALL_TRACED") != nullptr) {
    save_checkpoint(::getenv("SEAWALL_TRACED"), sample_state(2), 1, (1 << 16) + 4 * 4200);
    return;
  }
  const Folder folder;
  save_checkpoint(folder / "c", sample_state(1), 1);
  const auto trace = folder / "trace";
  const auto [code, text] =
      output_of("SEAWALL_TRACED=" + quoted(folder / "c") + " strace -f -y -s 300 -o " +
                quoted(trace) + " -e trace=fsync,rename,renameat,renameat2,unlinkat,unlink " +
                quoted(std::filesystem::read_symlink("/proc/self/exe")) +
                " --gtest_filter=Interop.SystemCalls*");
  if (code != 0) GTEST_SKIP() << "strace is not installed or may not trace";
  const auto log = bytes_of(trace);
  std::size_t place = 0;
  for (const std::string& want : {std::string("fsync("),       std::string("state.h5.tmp-"),
                                  std::string("rename("),      std::string("state.h5\")"),
                                  std::string("fsync("),       std::string("state-0001.h5.tmp-"),
                                  std::string("rename("),      std::string("state-0001.h5\")"),
                                  std::string("fsync("),       std::string("manifest.json.tmp-"),
                                  std::string("rename("),      std::string("manifest.json\")"),
                                  std::string("fsync("),       std::string("step-2.tmp-"),
                                  std::string("rename("),      std::string("/c/step-2\")"),
                                  std::string("fsync("),       std::string("/c>"),
                                  std::string("rename("),      std::string("/c/latest\")"),
                                  std::string("fsync("),       std::string("rename("),
                                  std::string("/c/step-1\", ")}) {
    const auto found = log.find(want, place);
    ASSERT_NE(found, std::string::npos) << want << " is not where it belongs in\n" << log;
    place = found + want.size();
  }
  for (const char* state : {"state.h5\")", "state-0001.h5\")"})
    EXPECT_EQ(log.find(state, log.find("manifest.json.tmp-")), std::string::npos) << log;
}

}  // namespace
}  // namespace seawall
