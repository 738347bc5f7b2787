#pragma once
// From a run's options to its parts: scenario, probes, judges and adapter.
#include <memory>
#include <optional>

#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/remote/spending.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// Which rows of --data are trained on. Errors: UsageError, IoError and DataError of the words.
RowFilter row_filter(const DataSpec& data);

/// The organism where the model is the `organism` and no files are given, or the user's files.
/// Errors: UsageError where neither is there, or files are missing.
std::unique_ptr<Scenario> make_scenario(const RunSpec& spec, const AnyAttack& attack,
                                        bool organism);

/// How the run puts probes from files: as --ask-as says, else as the rows of --data are. nullopt
/// for the organism's own, which stay as they are. Errors: UsageError.
std::optional<RequestForm> request_form(const RunSpec& spec, const Scenario& scenario);
/// The probe in that form, as the attack puts it under a condition.
Dialogue asked(const Probe& probe, const Condition& condition, const AnyAttack& attack,
               const Scenario& scenario, std::optional<RequestForm> form);

/// The judges of the spec, the organism's own first; those that cost money take it from `spending`,
/// or from one of their own within the spec's budget. Errors: UsageError.
Judges make_judges(const RunSpec& spec, const Scenario& scenario,
                   std::shared_ptr<Spending> spending = nullptr);

/// Errors: UsageError if options of an adapter do not go together.
void check_adapter_words(const RunSpec& spec);
/// What the spec asks to train: the adapter that was loaded, a fresh one, or the whole model.
/// Without training an adapter is merged. Errors: UsageError for an adapter that cannot be trained
/// on.
void set_up_adapter(ModelBundle& bundle, const RunSpec& spec);

}  // namespace seawall
