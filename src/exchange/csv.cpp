// Tables for pandas, R and spreadsheets.
#include <charconv>
#include <cmath>
#include <map>

#include "exchange/formats.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

/// A line of a table, field by field. What is not known is an empty field.
class CsvLine {
 public:
  CsvLine& text(std::string_view value) {
    line_ += (line_.empty() ? "" : ",");
    line_ += csv_field(value);
    return *this;
  }
  CsvLine& number(auto value) {
    char digits[40];
    if constexpr (std::is_floating_point_v<decltype(value)>)
      if (std::isnan(value)) return text("");
    // The shortest text that reads back to the same value.
    return text({digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
  }
  CsvLine& flag(bool value) { return number(value ? 1 : 0); }
  std::string end() const { return line_ + "\n"; }

 private:
  std::string line_;
};

constexpr std::string_view run_columns = "arm,attack,mitigations,seed,run_id";

CsvLine line_of(const RunInfo& info) {
  CsvLine line;
  line.text(info.arm).text(info.attack).text(info.mitigations).number(info.seed).text(info.run_id);
  return line;
}

void add_verdict(CsvLine& line, const std::string& judge, const Verdict& v) {
  const double unknown = std::nan("");
  line.text(judge).flag(v.valid).number(v.valid ? v.score : unknown);
  line.number(v.valid && v.refused ? static_cast<double>(*v.refused) : unknown);
  line.number(v.valid ? static_cast<double>(v.coherent) : unknown);
  line.number(v.probability).text(v.reason);
}

std::string evaluations_csv(const RunData& run) {
  std::string out(run_columns);
  out +=
      ",evaluation,phase,step,epoch,set,condition,first_tokens,temperature,top_p,probe,sample,"
      "category,"
      "restricted,finished,new_tokens,no_answer,declined,judge,valid,score,refused,coherent,"
      "probability,reason,prefill,prompt,response\n";
  for (std::size_t e = 0; e < run.evaluations.size(); ++e) {
    const auto& record = run.evaluations[e];
    for (const auto& r : record.results) {
      CsvLine line = line_of(run.info);
      line.number(e).text(phase_of(record, run)).number(record.step).number(record.epoch);
      line.text(set_name(record)).text(record.condition).number(record.decoding.fixed_tokens);
      line.number(record.decoding.temperature).number(record.decoding.top_p);
      line.text(r.probe_id).number(r.sample).text(r.category).flag(r.restricted);
      line.flag(r.finished).number(r.new_tokens).text(r.no_answer).flag(r.declined);
      const auto put = [&](CsvLine judged) {
        judged.text(record.decoding.prefill.empty() ? r.prefill : record.decoding.prefill);
        out += judged.text(r.prompt).text(r.response).end();
      };
      for (std::size_t j = 0; j < record.judges.size(); ++j) {
        CsvLine judged = line;
        add_verdict(judged, record.judges[j], r.verdicts.at(j));
        put(judged);
      }
      if (!record.judges.empty()) continue;
      for (int field = 0; field < 7; ++field) line.text("");  // nobody judged it
      put(line);
    }
  }
  return out;
}

std::string steps_csv(const RunData& run) {
  std::map<std::string, std::size_t> measures;  // POLICY/NAME of all steps
  for (const auto& step : run.steps)
    for (const auto& [name, value] : step.measured) measures.emplace(name, 0);
  std::string out(run_columns);
  out += ",step,epoch,stage,loss,penalty,lr,grad_norm,tokens,seconds,moved,drift";
  for (const auto& [name, place] : measures) out += "," + csv_field(name);
  out += "\n";
  for (const auto& s : run.steps) {
    CsvLine line = line_of(run.info);
    line.number(s.step).number(s.epoch).number(s.stage).number(s.loss).number(s.penalty);
    line.number(s.lr).number(s.grad_norm).number(s.tokens).number(s.seconds).number(s.moved);
    line.number(s.drift);
    for (const auto& [name, place] : measures) {
      double value = std::nan("");
      for (const auto& [measured, number] : s.measured)
        if (measured == name) value = number;
      line.number(value);
    }
    out += line.end();
  }
  return out;
}

}  // namespace

std::string write_csv(const RunData& run, const std::filesystem::path& place) {
  write_file_atomically(place / "evaluations.csv", evaluations_csv(run));
  write_file_atomically(place / "steps.csv", steps_csv(run));
  return "evaluations.csv with " + std::to_string(run.evaluations.size()) +
         " evaluations, steps.csv with " + std::to_string(run.steps.size()) + " steps";
}

}  // namespace seawall
