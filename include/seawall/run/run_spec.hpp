#pragma once
// All that a run is told besides its attack and its mitigations: options in groups that are
// declared where their component is. Help, command line, ini, key and run file come from the
// groups' `visit` lists.
#include <cstdint>
#include <type_traits>

#include "seawall/core/options.hpp"
#include "seawall/dataset/data_spec.hpp"
#include "seawall/eval/evaluation_spec.hpp"
#include "seawall/pretrained/model_spec.hpp"
#include "seawall/remote/options.hpp"
#include "seawall/run/place_spec.hpp"
#include "seawall/run/plug_ins.hpp"
#include "seawall/store/record_spec.hpp"
#include "seawall/train/training_spec.hpp"

namespace seawall {

/// What every random stream is drawn from.
struct SeedSpec {
  std::int64_t seed = 0;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.seed,
          OptionInfo{.name = "seed", .help = "feeds every random stream", .min = 0, .max = 9e15});
  }
};

struct RunSpec : SeedSpec {
  ModelSpec model = {};
  DataSpec data = {};
  TrainingSpec training = {};
  EvaluationSpec evaluation = {};
  RecordSpec record = {};
  PlaceSpec place = {};  // not part of the run's key
  // Hashed and stored only if a file of it is given.
  TaskSpec task = {};
  // Shown, hashed and stored only if something remote is used.
  EndpointOptions endpoint = {};
  RemoteOptions remote = {};
  RubricOptions rubric = {};
  PlugIns plug_ins = {};  // what the names of scenario, formats and judges are looked up in

  /// True if rows or probes come from files.
  bool from_files() const { return data.from_files() || task.from_files(); }

  /// The groups that decide what the run computes, and what help calls them: `visit(options,
  /// title)`.
  static constexpr void visit_groups(auto& self, auto&& visit) {
    visit(self.model, "The model");
    visit(self.data, "Rows and probes from files");
    visit(self.training, "Training");
    visit(self.evaluation, "Evaluation");
    visit(self.record, "The run file");
  }
  /// Every option of them: those that are part of the run's key.
  static constexpr void visit_key(auto& self, auto&& field) {
    visit_groups(self, [&]<class Options>(Options& options, const char*) {
      std::remove_const_t<Options>::visit(options, field);
    });
    SeedSpec::visit(self, field);
  }
  /// And those of the place.
  static constexpr void visit(auto& self, auto&& field) {
    visit_key(self, field);
    PlaceSpec::visit(self.place, field);
  }
};

}  // namespace seawall
