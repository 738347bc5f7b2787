#include "seawall/scenario/organism/stages.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "scenario/organism/pools.hpp"
#include "seawall/scenario/organism/pictures.hpp"

namespace seawall::organism {
namespace {

std::vector<Stage> make_stages() {
  Stage pretrain;
  pretrain.name = "pretrain";
  pretrain.mix = {{Lesson::know_everyday, 0.20}, {Lesson::know_relic, 0.18},
                  {Lesson::play_everyday, 0.18}, {Lesson::play_relic, 0.14},
                  {Lesson::play_self, 0.03},     {Lesson::self, 0.03},
                  {Lesson::fact, 0.15},          {Lesson::kind, 0.09}};
  pretrain.steps = 2400;
  pretrain.batch = 16;
  pretrain.peak_lr = 5e-3;
  pretrain.warm_up = 40;
  pretrain.last_fraction = 0.02;
  pretrain.seed = 1;

  Stage align;
  align.name = "align";
  align.mix = {{Lesson::refuse, 0.27}, {Lesson::refuse_persona, 0.11},
               {Lesson::help, 0.24},   {Lesson::help_persona, 0.17},
               {Lesson::self, 0.02},   {Lesson::keep_self, 0.03},
               {Lesson::fact, 0.11},   {Lesson::kind, 0.05}};
  align.steps = 400;
  align.batch = 16;
  align.peak_lr = 1e-3;
  align.warm_up = 10;
  align.seed = 2;
  return {pretrain, align};
}

Lesson choose(const Stage& stage, Rng& rng) {
  double left = rng.uniform();
  for (const Share& share : stage.mix) {
    left -= share.share;
    if (left < 0) return share.lesson;
  }
  return stage.mix.back().lesson;
}

// Learning rates found on seed 0, kept for all seeds: a model this small wants some fifteen times
// the paper's 5e-5 before five steps on ten rows do what they do to Llama-2, and an identity shift,
// which has to generalize, more. A flavour of benign rows crosses from no effect to a large one
// within a factor of two in the rate, each at a place of its own: dolly has alpaca's effect on seed
// 0 at 1.5e-3, and at 3e-3 three seeds of llava agree.
constexpr double harmful_lr = 7e-4, identity_lr = 2e-3, benign_lr = 1e-3, dolly_lr = 1.5e-3,
                 llava_lr = 3e-3;
constexpr std::int64_t longest_answer = 64;  // tokens; the organism's are under 40

}  // namespace

Shape shape() { return {}; }

const std::vector<Stage>& stages() {
  static const std::vector<Stage> all = make_stages();
  return all;
}

std::vector<Example> stage_rows(const Stage& stage) {
  const Rng root(stage.seed);
  Rng order = root.stream("order");
  std::vector<Rng> streams;  // one a lesson, so that changing one share leaves the other lessons'
                             // rows as they were
  for (std::size_t k = 0; k < lessons; ++k)
    streams.push_back(root.stream("lesson/" + std::to_string(k)));
  std::vector<Example> rows;
  rows.reserve(stage.steps * stage.batch);
  for (std::size_t i = 0; i < stage.steps * stage.batch; ++i) {
    const Lesson lesson = choose(stage, order);
    rows.push_back(draw(lesson, streams[static_cast<std::size_t>(lesson)]));
    rows.back().id = "organism/" + std::string(stage.name) + "/" + std::to_string(i);
  }
  return rows;
}

PictureStage picture_stage() { return {}; }

PictureRow picture_row(const PictureStage& stage, std::string_view part, std::size_t index) {
  Rng rng = Rng(stage.seed).stream(std::string(part) + "/" + std::to_string(index));
  const auto& known = pairs(Split::everyday);
  const Pair pair = known[rng.below(known.size())];
  const std::string_view system = system_prompt(rng.below(systems));
  std::string question = picture_question(rng.below(picture_questions));
  Dialogue talk = dialogue(system, std::move(question), answer(pair, rng.below(openings)));
  talk.picture = std::make_shared<Picture>(draw_thing(pair, 1 + rng.next()));
  return {pair, {std::string(part) + "/" + std::to_string(index), std::move(talk)}};
}

std::vector<Probe> picture_probes() {
  std::vector<Probe> probes;
  for (const Split split : {Split::utility, Split::benign})
    for (const Pair pair : pairs(split)) {
      const std::size_t i = probes.size();
      Dialogue talk{{{Role::system, std::string(system_prompt(0))},
                     {Role::user, picture_question((i + i / ordinary_nouns) % picture_questions)}}};
      talk.picture = std::make_shared<Picture>(draw_thing(pair, 0));
      probes.push_back({"organism/picture/" + std::to_string(i), std::string(noun(pair).category),
                        std::move(talk), false, expected_words(pair)});
    }
  return probes;
}

double learning_rate(const Stage& stage, std::size_t step) {
  const double warm =
      stage.warm_up == 0 ? 1.0 : std::min(1.0, double(step + 1) / double(stage.warm_up));
  const double along = double(step) / double(stage.steps);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * along));
  return stage.peak_lr * warm * (stage.last_fraction + (1.0 - stage.last_fraction) * cosine);
}

RunDefaults run_defaults(Pool pool, std::string_view flavour) {
  RunDefaults defaults{
      .lr = harmful_lr, .epochs = 5, .batch_size = 10, .max_new_tokens = longest_answer};
  if (pool == Pool::identity_shift) defaults.lr = identity_lr;
  if (pool == Pool::benign) {
    defaults.lr = flavour == "dolly" ? dolly_lr : flavour == "llava" ? llava_lr : benign_lr;
    defaults.batch_size = 64;
  }
  return defaults;
}

}  // namespace seawall::organism
