#include <gtest/gtest.h>

#include <map>

#include "seawall/core/error.hpp"
#include "seawall/parallel/launch.hpp"

namespace seawall {
namespace {

using Environment = std::map<std::string, std::string>;

std::optional<Launch> launch_in(const Environment& all) {
  return launch_of([&all](const char* name) -> const char* {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second.c_str();
  });
}

std::string refused(const Environment& all) {
  try {
    launch_in(all);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Launch, AloneWhereNobodySaysOtherwise) {
  EXPECT_FALSE(launch_in({}));
  EXPECT_FALSE(launch_in({{"RANK", "0"}}));
  EXPECT_FALSE(launch_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
  EXPECT_FALSE(launch_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}));
  // torchrun within a Slurm job: what torchrun says counts.
  EXPECT_FALSE(launch_in({{"WORLD_SIZE", "1"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}));
}

TEST(Launch, AsTorchrunSetsIt) {
  const auto launch = launch_in({{"RANK", "5"},
                                 {"WORLD_SIZE", "8"},
                                 {"LOCAL_RANK", "1"},
                                 {"LOCAL_WORLD_SIZE", "4"},
                                 {"MASTER_ADDR", "node1"},
                                 {"MASTER_PORT", "29511"},
                                 {"TORCHELASTIC_RUN_ID", "job"},
                                 {"TORCHELASTIC_RESTART_COUNT", "2"},
                                 {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                 {"SEAWALL_PEER_SECONDS", "7"}});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->rank, 5);
  EXPECT_EQ(launch->ranks, 8);
  EXPECT_EQ(launch->local_rank, 1);
  EXPECT_EQ(launch->local_ranks, 4);
  EXPECT_EQ(launch->host, "node1");
  EXPECT_EQ(launch->port, 29511);
  EXPECT_TRUE(launch->store_is_there);
  EXPECT_EQ(launch->name, "job/2");
  EXPECT_EQ(launch->patience, 7);
}

TEST(Launch, AsSlurmSetsIt) {
  const auto launch = launch_in({{"SLURM_PROCID", "3"},
                                 {"SLURM_NTASKS", "4"},
                                 {"SLURM_LOCALID", "1"},
                                 {"SLURM_NTASKS_PER_NODE", "2"},
                                 {"SLURM_NODELIST", "node[07-08]"},
                                 {"SLURM_JOB_ID", "123456"}});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->rank, 3);
  EXPECT_EQ(launch->local_rank, 1);
  EXPECT_EQ(launch->local_ranks, 2);
  EXPECT_EQ(launch->host, "node07");
  EXPECT_EQ(launch->port, 20000 + 123456 % 20000);
  EXPECT_EQ(launch->patience, 30);
}

TEST(Launch, FirstHostOfAList) {
  EXPECT_EQ(first_host("node1"), "node1");
  EXPECT_EQ(first_host("node1,node2"), "node1");
  EXPECT_EQ(first_host("node[07-09,12],gpu1"), "node07");
  EXPECT_EQ(first_host("node[3,5]"), "node3");
  EXPECT_EQ(first_host("gpu[11]"), "gpu11");
}

TEST(Launch, WhatIsMissingIsNamed) {
  const Environment whole{
      {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "29500"}};
  for (const char* name : {"RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    Environment less = whole;
    less.erase(name);
    EXPECT_TRUE(refused(less).starts_with(name)) << refused(less);
  }
  for (const auto& [name, value] :
       Environment{{"RANK", "2"}, {"RANK", "x"}, {"WORLD_SIZE", "0"}, {"MASTER_PORT", "70000"}}) {
    Environment other = whole;
    other[name] = value;
    EXPECT_NE(refused(other), "nothing") << name << "=" << value;
  }
}

}  // namespace
}  // namespace seawall
