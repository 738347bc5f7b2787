#include "run/judge_words.hpp"

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/eval/classifier.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/speaker.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "classifier:";
constexpr std::uint64_t max_template = 1 << 20;

ClassifierTemplate read_template(const std::string& name) {
  fs::path path(name);
  if (!fs::exists(path)) path = data_folder() / "judges" / (name + ".txt");
  if (!fs::exists(path))
    throw UsageError("--judge classifier: no template " + name +
                     "; name a file, or harmful, guard or scale");
  return ClassifierTemplate::parse(read_file(path, max_template), path.string());
}

}  // namespace

std::unique_ptr<Judge> judge_of_word(std::string_view word, const Scenario& scenario,
                                     const std::string& device) {
  if (!word.starts_with(prefix)) return make_judge(word, scenario);
  const auto rest = word.substr(prefix.size());
  const auto colon = rest.rfind(':');
  if (colon == rest.npos || colon == 0 || colon + 1 == rest.size())
    throw UsageError("--judge " + std::string(word) +
                     ": want classifier:MODEL:TEMPLATE, e.g. classifier:path/to/model:harmful");
  // The template first: it is read in no time.
  auto how = read_template(std::string(rest.substr(colon + 1)));
  auto model =
      std::make_shared<ModelBundle>(load_model(std::string(rest.substr(0, colon)), device, "auto"));
  const auto speaker = speaker_of(*model);
  return std::make_unique<ClassifierJudge>(std::string(word), std::move(how), speaker,
                                           std::move(model));
}

}  // namespace seawall
