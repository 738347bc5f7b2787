// Several processes against one: the same steps, weights and numbers.
#include <ATen/Parallel.h>

#include <filesystem>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "mitigations/freeze_layers.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/core/error.hpp"
#include "seawall/parallel/world.hpp"
#include "seawall/store/checkpoint.hpp"
#include "tests/parallel/processes.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using namespace testing;
namespace fs = std::filesystem;

struct RankCase {
  const char* name;
  Precision precision = Precision::fp32;
  std::int64_t micro = 0;  // rows; 0: what several processes choose
  std::int64_t alone = 1;  // of the one process that they are compared with
  bool same_bits = true;   // else within 1e-6, or what a bf16 sum decides
  std::string policy = {};
  double clip = 0, dropout = 0;
  bool lora = false;
};

/// Batches of four rows. What is chosen for 2, 3 and 4 processes is 2, 1 and 1 rows.
const std::vector<RankCase>& cases_of(int ranks) {
  static const std::map<int, std::vector<RankCase>> all{
      {2,
       {{.name = "chosen", .alone = 2},
        {.name = "two-rounds", .micro = 1, .clip = 0.5},
        {.name = "lora", .alone = 2, .dropout = 0.25, .lora = true},
        {.name = "drift-after", .micro = 1, .policy = "decoupled"},
        {.name = "drift-in-loss", .alone = 2, .same_bits = false, .policy = "coupled"},
        {.name = "frozen", .alone = 2, .policy = "freeze"},
        {.name = "master", .precision = Precision::bf16_master, .alone = 2},
        {.name = "pure", .precision = Precision::pure_bf16, .alone = 2, .same_bits = false},
        {.name = "kahan", .precision = Precision::kahan, .alone = 2, .same_bits = false}}},
      {3, {{.name = "idle"}}},  // the second round has one micro-batch
      {4,
       {{.name = "four"},
        {.name = "four-lora", .lora = true},
        {.name = "four-master", .precision = Precision::bf16_master}}}};
  return all.at(ranks);
}

/// Nine steps of a case and all that they left: weights, optimizer, and the steps' numbers.
CheckpointState trained(const RankCase& c, World* world, const CheckpointState* from = nullptr,
                        std::int64_t stop = 0) {
  at::set_num_threads(1);
  TinyRun run;
  run.data.micro_batch_size = world ? c.micro : c.alone;
  run.data.rank = world ? world->rank() : 0;
  run.data.ranks = world ? world->size() : 1;
  run.options.precision = c.precision;
  run.options.clip_norm = c.clip;
  run.options.config_hash = c.name;
  run.options.checkpoint_every = stop;
  run.context.world = world;
  run.context.resume = from;
  if (c.lora) {
    run.options.schedule.lr = 2e-2;
    const LoraOptions lora{.rank = 2,
                           .alpha = 6,
                           .targets = targets_from("q_proj,o_proj,up_proj"),
                           .dropout = c.dropout};
    run.decoder.adapt(make_adapter(run.decoder.config(), lora, 9, run.decoder.embedding()));
  }
  CheckpointState last;
  run.context.checkpoint = [&](CheckpointState state) {
    if (stop == 0 || state.step == stop) last = std::move(state);
    for (auto* tensors : {&last.parameters, &last.optimizer}) *tensors = copy_of(*tensors);
  };
  std::int64_t evaluations = 0;
  run.context.evaluate = [&](std::int64_t, std::int64_t, bool) { ++evaluations; };
  if (c.policy == "freeze") {
    Stack stack{FreezeLayers{{.layers = "0"}}};
    run.go(stack);
  } else if (!c.policy.empty()) {
    Stack stack{WeightDrift{{.lambda = 0.5, .form = c.policy}}};
    run.go(stack);
  } else {
    run.go();
  }
  if (world == nullptr || world->rank() == 0) {
    EXPECT_EQ(evaluations, from == nullptr ? 3 : 3 - from->step / 3);
  } else {
    EXPECT_EQ(evaluations, 0);
  }
  last.numbers["passes"] = static_cast<double>(run.result.backward_passes);
  last.numbers["final"] = run.result.final.drift;
  auto& steps = last.groups["steps"];
  std::vector<double> numbers, drifts;
  for (const auto& s : run.sink.steps) {
    for (const double x :
         {s.loss, s.penalty, s.grad_norm, s.moved, s.drift, s.lr, static_cast<double>(s.tokens)})
      numbers.push_back(x);
    drifts.insert(drifts.end(), s.param_drift.begin(), s.param_drift.end());
  }
  steps.tensor("numbers", at::tensor(numbers, at::kDouble));
  steps.tensor("drifts", at::tensor(drifts, at::kDouble));
  return last;
}

std::string folder_of_test() {
  const char* folder = std::getenv("TEST_FOLDER");
  return folder ? folder : "";
}

std::optional<Launch> launch_here() {
  return launch_of([](const char* name) { return std::getenv(name); });
}

// Run by the ranks of a world, never by itself.
TEST(Rank, DISABLED_Trains) {
  const auto world = World::join(launch_here().value());
  for (const RankCase& c : cases_of(world->size()))
    for (const char* time : {"first", "second"}) {
      const CheckpointState state = trained(c, world.get());
      if (world->rank() == 0) save_checkpoint(fs::path(folder_of_test()) / c.name / time, state);
    }
}

// Four steps were done by another number of processes.
TEST(Rank, DISABLED_Resumes) {
  const auto world = World::join(launch_here().value());
  const fs::path folder = folder_of_test();
  const CheckpointState from = load_checkpoint(folder / "from").state;
  const RankCase c = cases_of(world->size())[0];
  const bool ends = std::getenv("TEST_STOP") == nullptr;
  RankCase same = c;
  same.name = "resumed";
  same.micro = 1;
  const CheckpointState state = trained(same, world.get(), &from, ends ? 0 : 7);
  if (world->rank() == 0) save_checkpoint(folder / "to", state);
}

TEST(Rank, DISABLED_DoesAnotherRun) {
  const auto world = World::join(launch_here().value());
  RankCase c = cases_of(2)[0];
  if (world->rank() == 1) c.name = "another";
  trained(c, world.get());
}

TEST(Rank, DISABLED_WaitsForever) {
  const auto world = World::join(launch_here().value());
  try {
    for (int i = 0;; ++i) {
      const auto all = world->gather({static_cast<double>(i)});
      if (i == 3 && world->rank() == 0) std::ofstream(folder_of_test() + "/started") << i;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  } catch (const PeerError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(static_cast<int>(error.exit_code()));
  }
}

TEST(Rank, DISABLED_FailsInAnEvaluation) {
  const auto world = World::join(launch_here().value());
  TinyRun run;
  run.data.rank = world->rank();
  run.data.ranks = world->size();
  run.context.world = world.get();
  run.context.evaluate = [](auto, auto, bool) { throw RunError("no judge"); };
  run.context.checkpoint = [](const CheckpointState& state) {
    save_checkpoint(fs::path(folder_of_test()) / "state", state);
  };
  try {
    run.go();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(static_cast<int>(error.exit_code()));
  }
}

TEST(Rank, DISABLED_Comes) {
  try {
    World::join(launch_here().value());
  } catch (const PeerError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(static_cast<int>(error.exit_code()));
  }
}

TEST(Rank, DISABLED_GathersWhatDiffers) {
  const auto world = World::join(launch_here().value());
  const auto rank = static_cast<std::size_t>(world->rank());
  const auto all = world->gather(std::vector<double>(rank * 3, 1.5 + world->rank()));
  ASSERT_EQ(all.size(), 4u);
  for (std::size_t r = 0; r < all.size(); ++r)
    EXPECT_EQ(all[r], std::vector<double>(r * 3, 1.5 + static_cast<double>(r)));
  // More than the kernel buffers, in every direction at once.
  constexpr std::int64_t many = 3'000'000;
  std::vector<Tensor> to, from;
  for (std::size_t r = 0; r < 4; ++r) {
    to.push_back(at::full({many + static_cast<std::int64_t>(r)}, 10.0 * world->rank() + r));
    from.push_back(at::empty({many + static_cast<std::int64_t>(rank)}));
  }
  world->exchange(from, to);
  for (std::size_t r = 0; r < 4; ++r)
    EXPECT_TRUE(from[r].eq(10.0 * static_cast<double>(r) + world->rank()).all().item<bool>()) << r;
}

class Worlds : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  void all_end_well(Processes& processes, int ranks) {
    for (int r = 0; r < ranks; ++r) ASSERT_EQ(processes.wait(r), 0) << processes.said(r);
  }
  fs::path folder =
      fs::path(::testing::TempDir()) / ("seawall-worlds-" + std::to_string(::getpid()));
};

Tensor numbers_of(const CheckpointState& state, const char* what) {
  return state.groups.at("steps").tensor(what);
}

void expect_same(const CheckpointState& a, const CheckpointState& b) {
  EXPECT_TRUE(same_bits(a.parameters, b.parameters));
  EXPECT_TRUE(same_bits(a.optimizer, b.optimizer));
  for (const char* what : {"numbers", "drifts"})
    EXPECT_TRUE(same_bits(numbers_of(a, what), numbers_of(b, what))) << what;
  EXPECT_EQ(a.numbers, b.numbers);
}

class WorldsOf : public Worlds, public ::testing::WithParamInterface<int> {};

TEST_P(WorldsOf, AreOneProcess) {
  const int ranks = GetParam();
  Processes processes(ranks, "Rank.DISABLED_Trains", folder);
  all_end_well(processes, ranks);
  for (const RankCase& c : cases_of(ranks)) {
    SCOPED_TRACE(c.name);
    const CheckpointState first = load_checkpoint(folder / c.name / "first").state,
                          second = load_checkpoint(folder / c.name / "second").state,
                          alone = trained(c, nullptr);
    expect_same(first, second);
    ASSERT_EQ(numbers_of(first, "numbers").numel(), 9 * 7);
    if (c.same_bits) {
      expect_same(first, alone);
      continue;
    }
    // In bf16 one process rounds the gradient's sum after each micro-batch, several round it once:
    // an update of 1e-3 a step in place of none, here and there.
    const double near = c.precision == Precision::fp32 ? 1e-6 : 5e-3;
    EXPECT_TRUE(at::allclose(numbers_of(first, "numbers"), numbers_of(alone, "numbers"),
                             near == 1e-6 ? 1e-6 : 2e-2, 1e-6));
    EXPECT_LT(max_difference(first.parameters, alone.parameters), near);
  }
}
INSTANTIATE_TEST_SUITE_P(Ranks, WorldsOf, ::testing::Values(2, 3, 4));

TEST_F(Worlds, AnotherNumberOfThemContinues) {
  RankCase c{.name = "resumed"};
  const CheckpointState whole = trained(c, nullptr);
  save_checkpoint(folder / "from", trained(c, nullptr, nullptr, 4));
  for (const auto& [ranks, stops] : {std::pair{2, true}, {4, false}}) {  // 1 -> 2 -> 4
    Processes processes(ranks, "Rank.DISABLED_Resumes", folder,
                        stops ? std::map<std::string, std::string>{{"TEST_STOP", "7"}}
                              : std::map<std::string, std::string>{});
    all_end_well(processes, ranks);
    if (stops) {
      fs::remove_all(folder / "from");
      fs::rename(folder / "to", folder / "from");
      const CheckpointState at_seven = load_checkpoint(folder / "from").state;
      EXPECT_EQ(at_seven.step, 7);
      const CheckpointState rest = trained(c, nullptr, &at_seven);  // 2 -> 1
      EXPECT_TRUE(same_bits(rest.parameters, whole.parameters));
      EXPECT_TRUE(same_bits(rest.optimizer, whole.optimizer));
    }
  }
  const CheckpointState last = load_checkpoint(folder / "to").state;
  EXPECT_TRUE(same_bits(last.parameters, whole.parameters));
  EXPECT_TRUE(same_bits(last.optimizer, whole.optimizer));
  EXPECT_EQ(last.numbers.at("passes"), whole.numbers.at("passes"));
  EXPECT_EQ(last.numbers.at("final"), whole.numbers.at("final"));
}

TEST_F(Worlds, ThatDoOtherRunsAreRefused) {
  Processes processes(2, "Rank.DISABLED_DoesAnotherRun", folder);
  for (int r = 0; r < 2; ++r) {
    EXPECT_NE(processes.wait(r), 0);
    EXPECT_NE(processes.said(r).find("rank 1 and rank 0: do other runs"), std::string::npos)
        << processes.said(r);
  }
}

TEST_F(Worlds, ExchangeWhatIsOfAnySize) {
  Processes processes(4, "Rank.DISABLED_GathersWhatDiffers", folder);
  all_end_well(processes, 4);
}

void wait_for(const fs::path& file) {
  for (int i = 0; i < 3000 && !fs::exists(file); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(fs::exists(file));
}

TEST_F(Worlds, OneThatIsKilledOrStoppedEndsTheOthers) {
  for (const auto& [lost, how] : {std::pair{0, SIGKILL}, {1, SIGKILL}, {2, SIGSTOP}}) {
    fs::remove(folder / "started");
    Processes processes(3, "Rank.DISABLED_WaitsForever", folder,
                        {{"SEAWALL_PEER_SECONDS", how == SIGSTOP ? "2" : "60"}});
    wait_for(folder / "started");
    const auto before = std::chrono::steady_clock::now();
    processes.signal(lost, how);
    std::string reasons;  // the one who sees it first tells the others
    for (const int r : {0, 1, 2}) {
      if (r == lost) continue;
      EXPECT_EQ(processes.wait(r), 6) << processes.said(r);
      EXPECT_NE(processes.said(r).find("rank " + std::to_string(lost) + " of 3 (process "),
                std::string::npos)
          << processes.said(r);
      reasons += processes.said(r);
    }
    EXPECT_NE(reasons.find(how == SIGSTOP ? "sign of life for 2 s" : "connection closed"),
              std::string::npos)
        << reasons;
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  }
}

TEST_F(Worlds, AnEvaluationThatFailsEndsAllAndTheStateIsKept) {
  Processes processes(2, "Rank.DISABLED_FailsInAnEvaluation", folder);
  for (int r = 0; r < 2; ++r) EXPECT_EQ(processes.wait(r), 5) << processes.said(r);
  EXPECT_NE(processes.said(0).find("no judge; the state after step 3 is saved"), std::string::npos)
      << processes.said(0);
  EXPECT_NE(processes.said(1).find("rank 0 ended in an evaluation"), std::string::npos)
      << processes.said(1);
  EXPECT_EQ(load_checkpoint(folder / "state").state.step, 3);
}

TEST_F(Worlds, MeetWhereTheLauncherListens) {
  c10d::TCPStoreOptions options;  // as torchrun's agent serves it
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  const auto store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  Processes processes(2, "Rank.DISABLED_Comes", folder,
                      {{"TORCHELASTIC_USE_AGENT_STORE", "True"},
                       {"MASTER_PORT", std::to_string(store->getPort())},
                       {"SEAWALL_PEER_SECONDS", "5"}});
  all_end_well(processes, 2);
}

TEST_F(Worlds, OneThatDoesNotComeIsNamed) {
  Processes processes(3, "Rank.DISABLED_Comes", folder, {{"SEAWALL_PEER_SECONDS", "1"}}, 2);
  for (int r = 0; r < 2; ++r) {
    EXPECT_EQ(processes.wait(r), 6);
    EXPECT_NE(processes.said(r).find("rank 2 of 3: did not come within 4 s"), std::string::npos)
        << processes.said(r);
  }
}

TEST_F(Worlds, WhatListensAndDoesNotAnswerIsSaid) {
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&own), size), 0);
  ASSERT_EQ(::listen(silent, 8), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&own), &size);
  Processes processes(2, "Rank.DISABLED_Comes", folder,
                      {{"TORCHELASTIC_USE_AGENT_STORE", "True"},
                       {"MASTER_PORT", std::to_string(ntohs(own.sin_port))},
                       {"SEAWALL_PEER_SECONDS", "1"}});
  for (int r = 0; r < 2; ++r) {
    EXPECT_EQ(processes.wait(r), 6) << processes.said(r);
    EXPECT_NE(processes.said(r).find("does not answer"), std::string::npos) << processes.said(r);
  }
  ::close(silent);
}

}  // namespace
}  // namespace seawall
