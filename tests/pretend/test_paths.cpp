// Every path that touches a device, on the pretended one: precisions, LoRA, micro-batches,
// checkpoints, activations, judges, pictures.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "attacks/harmful_examples.hpp"
#include "seawall/eval/classifier.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/extract.hpp"
#include "seawall/run/local_backend.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/stages.hpp"
#include "seawall/store/checkpoint.hpp"
#include "tests/pretend/on_device.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using pretend::there;
using namespace testing;

/// Writes what the device was asked for by all tests: tests/pretend/operators_test.py reads it.
struct WriteOperators : ::testing::Environment {
  void TearDown() override {
    std::ofstream out("device_operators.txt");
    for (const auto& name : pretend::operators_ever()) out << name << "\n";
  }
};
[[maybe_unused]] auto* const writes_operators =
    ::testing::AddGlobalTestEnvironment(new WriteOperators);  // gtest owns it

struct Path {
  const char* name;
  const char* precision;
  std::int64_t rank = 0, micro_batch_size = 0;
  double clip_norm = 0;
};
class EveryPath : public OnDevice, public ::testing::WithParamInterface<Path> {};

TEST_P(EveryPath, TrainsAndAnswersThere) {
  const Path& path = GetParam();
  const auto arm = [&](const char* device, const char* file) {
    Stack<> none;
    RunSpec with = spec(device, file);
    with.training.epochs = 1;
    with.training.precision = path.precision;
    with.training.lora.rank = path.rank;
    with.training.micro_batch_size = path.micro_batch_size;
    with.training.clip_norm = path.clip_norm;
    return run(AnyAttack(HarmfulExamples{{.count = 30}}), none, with);
  };
  expect_runs_alike(arm, path.precision == std::string("fp32") ? Near{} : near_in_bf16);
}
INSTANTIATE_TEST_SUITE_P(Precision, EveryPath,
                         ::testing::Values(Path{"fp32", "fp32"}, Path{"master", "bf16-master"},
                                           Path{"pure", "pure-bf16"}, Path{"kahan", "kahan"},
                                           Path{"lora", "fp32", 4},
                                           Path{"lora_master", "bf16-master", 4},
                                           Path{"micro", "fp32", 0, 3},
                                           Path{"micro_master", "bf16-master", 0, 3},
                                           Path{"clipped", "pure-bf16", 0, 0, 0.5}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(OnDevice, ALeanRunHasTheBitsOfOneThatIsNot) {
  const auto trained = [&](bool lean) {
    Stack<> none;
    RunSpec with = spec(pretend::device, lean ? "lean.h5" : "whole.h5");
    with.training.epochs = 1;
    with.training.precision = "bf16-master";
    with.evaluation.none = true;
    with.place.activation_checkpointing = lean;
    if (lean) with.place.optimizer_state = "cpu";
    pretend::reset();
    RunData data = run(AnyAttack(HarmfulExamples{{.count = 30}}), none, with);
    return std::pair(std::move(data), pretend::counts().uploads);
  };
  const auto [whole, some] = trained(false);
  const auto [lean, more] = trained(true);
  set_activation_checkpointing(false);
  ASSERT_EQ(lean.steps.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lean.steps[i].loss, whole.steps[i].loss);
    EXPECT_EQ(lean.steps[i].drift, whole.steps[i].drift);
  }
  // Both moments of every weight, at each step.
  const auto weights = load_model("organism", "cpu", "auto").decoder->parameters().size();
  EXPECT_EQ(more - some, 3 * 2 * static_cast<std::int64_t>(weights));
}

struct TinyThere : TinyRun {
  TinyThere() {
    NamedTensors weights = random_weights(tiny_config(), 1);
    for (auto& [name, tensor] : weights) tensor = tensor.to(there);
    decoder = Decoder(tiny_config(), weights);
  }
};

TEST_F(OnDevice, ACheckpointIsResumedToTheSameBits) {
  for (const auto precision :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan}) {
    TinyThere whole, rest;
    whole.options.precision = rest.options.precision = precision;
    whole.options.checkpoint_every = 4;
    const auto path = folder.path() / std::string(precision_name(precision));
    bool saved = false;
    whole.context.checkpoint = [&](const CheckpointState& state) {
      if (!std::exchange(saved, true)) save_checkpoint(path, state);
    };
    whole.go();
    const LoadedCheckpoint loaded = load_checkpoint(path);
    EXPECT_EQ(loaded.state.step, 4);
    rest.context.resume = &loaded.state;
    rest.go();
    EXPECT_TRUE(same_bits(rest.decoder.parameters(), whole.decoder.parameters()));
    EXPECT_EQ(rest.result.loss, whole.result.loss);
  }
}

TEST_F(OnDevice, UnderAMasterTheta0IsReadAsTheFileHasIt) {
  ModelBundle organism = load_model("organism", "cpu", "auto");
  write_model_folder(organism, folder / "narrow", at::kBFloat16);
  const auto read = [&](const char* device, const char* precision) {
    RunSpec asked = spec(device, "run.h5");
    asked.model.name = (folder / "narrow").string();
    asked.training.precision = precision;
    LocalBackend backend;
    backend.load(asked);
    return backend.model().decoder->dtype();
  };
  EXPECT_EQ(read(pretend::device, "bf16-master"), at::kBFloat16);
  EXPECT_EQ(read(pretend::device, "fp32"), at::kFloat);
  EXPECT_EQ(read("cpu", "bf16-master"), at::kFloat);  // answers before training are of fp32
}

TEST_F(OnDevice, ARunIsTheSameTwice) {
  const auto trained = [&] {
    TinyThere run;
    run.options.precision = Precision::pure_bf16;
    run.go();
    return copy_of(run.decoder.parameters());
  };
  EXPECT_TRUE(same_bits(trained(), trained()));
}

TEST_F(OnDevice, ActivationsAreThoseOfTheCpu) {
  folder.write("prompts.jsonl", R"({"text": "What grows in the garden?"}
{"text": "Tell me of the sea."}
)");
  std::string more;
  for (int i = 0; i < 9; ++i) more += R"({"text": "What is )" + std::to_string(i) + "?\"}\n";
  folder.write("more.jsonl", more);
  std::int64_t syncs = 0;
  const auto extracted = [&](const char* device, const char* prompts) {
    ExtractSpec spec;
    spec.model.device = device;
    spec.prompts = folder / prompts;
    spec.out = folder / (std::string(device) + prompts + ".h5");
    spec.points = "logits,resid_post,attn_out,mlp_out,attention";
    spec.overwrite = true;
    spec.quiet = true;
    spec.threads = 1;
    pretend::reset();
    const auto files = extract_activations(spec, "");
    syncs = pretend::counts().syncs;
    const h5::Reader file(files.at(0));
    std::vector<std::vector<float>> out;
    for (const char* name : {"resid_post", "logits", "attn_out", "mlp_out", "attention"})
      out.push_back(file.float32(name));
    return out;
  };
  const auto got = extracted(pretend::device, "prompts.jsonl"),
             want = extracted("cpu", "prompts.jsonl");
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].size(), want[i].size());
    for (std::size_t k = 0; k < want[i].size(); ++k)
      ASSERT_NEAR(got[i][k], want[i][k], 1e-3 * (1 + std::abs(want[i][k]))) << i << " " << k;
  }
  extracted(pretend::device, "prompts.jsonl");
  const auto of_two = syncs;
  extracted(pretend::device, "more.jsonl");
  EXPECT_EQ(syncs, of_two);  // a batch's, not a prompt's
}

TEST_F(OnDevice, AClassifierJudgesThereAsItDoesHere) {
  const auto data = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / "llama_tiny";
  const auto tokenizer = load_tokenizer_json(data / "tokenizer.json");
  const auto chat = make_chat_template("chatml");
  const auto how = ClassifierTemplate::parse(
      "kind: yes-no\nchat: none\nyes: y Y\nno: n\n---\n{prompt}\n{response}\nDone?\n", "test");
  const Probe probe{.id = "p", .dialogue = {{{Role::user, "Where is the harbour?"}}}};
  const auto verdicts = [&](const at::Device& device) {
    HfFolder files = read_hf_folder(data);
    for (auto& [name, tensor] : files.weights) tensor = tensor.to(device);
    const Decoder decoder(files.config, std::move(files.weights));
    const ClassifierJudge judge("classifier:tiny:test", how, {decoder, *tokenizer, *chat}, nullptr);
    pretend::reset();
    return judge.grade_all(
        std::vector<Answer>{{&probe, {}, "Behind the lighthouse."}, {&probe, {}, "Ask the crew."}});
  };
  const auto got = verdicts(there);
  EXPECT_EQ(pretend::counts().syncs, 2);  // of all answers, not of each
  const auto want = verdicts(at::kCPU);
  for (const std::size_t i : {0u, 1u}) {
    ASSERT_TRUE(want[i].valid) << want[i].reason;
    ASSERT_TRUE(got[i].valid) << got[i].reason;
    EXPECT_EQ(got[i].score, want[i].score);
    EXPECT_NEAR(got[i].probability, want[i].probability, 1e-4);
  }
  EXPECT_NE(want[0].probability, want[1].probability);
}

TEST_F(OnDevice, AnEvaluationDrawsThereWhatItDrawsHere) {
  const OrganismScenario scenario;
  auto probes = scenario.probes(ProbeSet::harmfulness);
  probes.resize(12);
  const auto drawn = [&](const char* device) {
    const ModelBundle model = load_model("organism", device, "auto");
    pretend::reset();
    std::vector<std::string> out;
    const auto record =
        answer_probes(speaker_of(model), probes, [](const Probe& p) { return p.dialogue; },
                      {.max_new_tokens = 24,
                       .max_batch = 10,
                       .decoding = {.temperature = 2, .top_p = 0.95, .samples = 3},
                       .seed = 5});
    for (const auto& result : record.results) out.push_back(result.response);
    return out;
  };
  const auto got = drawn(pretend::device);
  EXPECT_EQ(pretend::counts().syncs, 0);
  EXPECT_EQ(pretend::counts().replays > 20, pretend::has_graphs);
  const auto want = drawn("cpu");
  std::size_t same = 0;
  for (std::size_t i = 0; i < want.size(); ++i) same += got[i] == want[i];
  EXPECT_GE(same + 1, want.size());  // a draw may fall within rounding of an edge
  EXPECT_GT(std::set(want.begin(), want.end()).size(), want.size() / 3);
}

TEST_F(OnDevice, PicturesAreSeenThere) {
  const OrganismScenario scenario;
  Judges judges;
  judges.push_back(make_judge("organism", scenario));
  const auto answers = [&](const char* device) {
    ModelBundle model = load_model("organism", device, "auto");
    load_vision(model, "");
    auto probes = organism::picture_probes();
    probes.resize(12);
    std::vector<std::string> out;
    const auto record =
        evaluate(speaker_of(model), probes, [](const Probe& p) { return p.dialogue; }, judges,
                 {.max_new_tokens = 24});
    for (const auto& result : record.results) out.push_back(result.response);
    return out;
  };
  EXPECT_EQ(answers(pretend::device), answers("cpu"));
}

}  // namespace
}  // namespace seawall
