#include "seawall/run/shipped_judges.hpp"

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/eval/classifier.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/speaker.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t max_template = 1 << 20;

ClassifierTemplate read_template(const std::string& name) {
  fs::path path(name);
  if (!fs::exists(path)) path = data_folder() / "judges" / (name + ".txt");
  if (!fs::exists(path))
    throw UsageError("--judge classifier: no template " + name +
                     "; name a file, or harmful, guard or scale");
  return ClassifierTemplate::parse(read_file(path, max_template), path.string());
}

const RunSpec& run_of(const JudgeSetting& setting) {
  static const RunSpec none;
  return setting.run == nullptr ? none : *setting.run;
}

}  // namespace

std::unique_ptr<Judge> Classifier::make(const JudgeWord& word, const JudgeSetting& setting) const {
  const std::string_view rest = word.argument;
  const auto colon = rest.rfind(':');
  if (colon == rest.npos || colon == 0 || colon + 1 == rest.size())
    throw UsageError("--judge " + word.whole +
                     ": want classifier:MODEL:TEMPLATE, e.g. classifier:path/to/model:harmful");
  // The template first: it is read in no time.
  auto how = read_template(std::string(rest.substr(colon + 1)));
  auto model = std::make_shared<ModelBundle>(
      load_model(std::string(rest.substr(0, colon)), run_of(setting).model.device, "auto"));
  const auto speaker = speaker_of(*model);
  return std::make_unique<ClassifierJudge>(word.whole, std::move(how), speaker, std::move(model));
}

std::unique_ptr<Judge> Rubric::make(const JudgeWord& word, const JudgeSetting& setting) const {
  const RunSpec& run = run_of(setting);
  return make_rubric_judge(
      word.whole, run,
      setting.spending ? setting.spending : std::make_shared<Spending>(run.endpoint.budget));
}

std::string Rubric::text(std::string_view) { return rubric_texts(RunSpec{}) + "\n"; }

const JudgeCatalogue& judge_catalogue() {
  static constexpr JudgeCatalogue all = judge_catalogue_of(ShippedJudges{});
  return all;
}

}  // namespace seawall
