// A run's stages: what attack and mitigations ask for, put together before anything trains.
#include <algorithm>

#include "run/run_checks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/run_provenance.hpp"

namespace seawall {

std::vector<StagePlan> Run::craft() {
  Rng rng = Rng(static_cast<std::uint64_t>(spec_.seed)).stream("craft");
  auto all = attack_.stages(*context_, rng);
  for (const StagePlan& plan : all)
    used_.rows.insert(used_.rows.end(), plan.rows.rows.begin(), plan.rows.rows.end());
  context_->set_used(used_);
  return all;
}

Stage Run::tamper_stage() const {
  Stage stage = stage_of({.name = "tamper"});
  stage.tampers = true;
  stage.training.lora = {};  // the weights themselves are edited
  return stage;
}

void Run::face(const std::vector<PolicyDescription>& policies,
               std::function<Dataset(Dataset)> defence) {
  context_->set_faced({.policies = policies, .defence = std::move(defence)});
}

Stage Run::stage_of(StagePlan plan, std::size_t owner) const {
  Stage stage{.name = std::move(plan.name),
              .rows = std::move(plan.rows),
              .training = spec_.training,
              .owner = owner};
  if (plan.training.lr) stage.training.lr = plan.training.lr;
  if (plan.training.batch_size) stage.training.batch_size = plan.training.batch_size;
  if (plan.training.epochs) {
    stage.training.epochs = plan.training.epochs;
    stage.training.steps = 0;
  }
  if (plan.lora_rank) stage.training.lora.rank = *plan.lora_rank;
  return stage;
}

std::uint64_t Run::stage_seed(std::size_t index) const {
  const Rng root(static_cast<std::uint64_t>(spec_.seed));
  return index == 0 ? root.seed() : root.stream("stage-" + std::to_string(index)).seed();
}

std::vector<bool> Run::acting(const Stage& stage) const {
  std::vector<bool> acts;
  for (std::size_t i = 0; i < stack_.size(); ++i)
    acts.push_back(stage.owner == Stage::attackers ? !has(stack_[i].hooks, Hook::before)
                                                   : i == stage.owner);
  return acts;
}

bool Run::has_owned_stages() const {
  return std::ranges::any_of(stack_, [](const auto& p) { return has(p.hooks, Hook::before); });
}

StateIn* Run::saved_state(std::string_view group) {
  if (!saved_) saved_ = backend_.saved_policies(spec_);
  const auto found = saved_->find(std::string(group));
  if (found == saved_->end()) return nullptr;
  restored_.emplace_back(group);
  return &found->second;
}

void Run::say_drawn(const std::vector<std::string>& groups) const {
  for (const auto& group : groups) {
    const auto of = [&](const auto& p) {
      return group == p.name || group.starts_with(p.name + "-");
    };
    const auto policy = std::ranges::find_if(stack_, of);
    const bool drawn = policy == stack_.end() || has(policy->hooks, Hook::prepare);
    const std::string what = drawn ? "drawn from --seed " + std::to_string(spec_.seed)
                                   : "measured on the model as it is";
    warn(
        "seawall: %s: no checkpoint of the model has its state, so it is %s; what the model was "
        "trained with may differ\n",
        group.c_str(), what.c_str());
  }
}

bool Run::answers_untrained() const {
  const auto measures = [](const PolicyDescription& p) {
    return has(p.hooks, Hook::on_start) &&
           (has(p.hooks, Hook::steer) || has(p.hooks, Hook::choose));
  };
  if (std::ranges::none_of(stack_, measures)) return false;
  const bool trains = std::ranges::any_of(stages_, [](const Stage& stage) {
    return stage.owner == Stage::attackers && !stage.tampers;
  });
  const std::string& at = spec_.evaluation.at;
  return !trains || (!resumed_ && (at == "both" || at == "epochs"));
}

void Run::prepare(std::vector<Stage> stages, Defence defence, Measured measured) {
  defence_ = std::move(defence);
  measured_ = std::move(measured);
  conditions_ =
      conditions_of_run(attack_.conditions(), defence_.conditions, spec_.evaluation.decoding());
  stages_ = std::move(stages);
  bool attacked = false;
  for (const Stage& stage : stages_) {
    if (stage.owner != Stage::attackers) {
      used_.rows.insert(used_.rows.end(), stage.rows.rows.begin(), stage.rows.rows.end());
      continue;
    }
    attacked = true;
    rows_.name = stage.rows.name;
    rows_.rows.insert(rows_.rows.end(), stage.rows.rows.begin(), stage.rows.rows.end());
  }
  if (!attacks_with_rows_) check_acts_untrained();
  check_recording(*this);
  if (!attacked && !spec_.training.none && !spec_.place.quiet)
    warn("seawall: %s; the model is evaluated without it\n",
         attacks_with_rows_ ? "the mitigations left the attack no row to train on"
                            : "the attack has no row to train on");
  provenance_ = provenance_of(this->rows(), sets(), conditions_,
                              [this](const Probe& p, const Condition& c) { return asked(p, c); });
  check_provenance(provenance_, spec_.data.allow_overlap);
  for (const Stage& stage : stages_)
    if (stage.owner != Stage::attackers) check_policy_rows("stage_" + stage.name, stage.rows);
  for (const Dataset& rows : drawn_) check_policy_rows(rows.name, rows);
  if (observer_ != nullptr)
    for (const Stage& stage : stages_) observer_->on_stage(stage);
  backend_.prepare(*this);
  find_key();
}

}  // namespace seawall
