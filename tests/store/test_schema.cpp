// The schema against real files, both ways, and against the page that is printed from it.
#include <cstdlib>
#include <stdexcept>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/activations.hpp"
#include "seawall/store/inspect.hpp"
#include "store/checkpoint_state.hpp"
#include "store/schema.hpp"

namespace seawall {
namespace {

using namespace testing;
namespace fs = std::filesystem;

/// A run that uses every part of the format, and an empty one.
std::vector<fs::path> run_files(const Folder& folder) {
  RunFile run(folder / "run.h5", sample_info());
  run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::harmfulness));
  auto utility = sample_evaluation(0, "plain", ProbeSet::utility, 5);
  utility.results[1].verdicts[1].probability = 0.25;
  utility.results[2].no_answer = "withheld";
  utility.results[3].declined = true;
  run.on_evaluation(std::move(utility));
  auto harm = sample_evaluation(3, "plain", ProbeSet::harmfulness);
  harm.results[0].verdicts[0].probability = 0.5;
  harm.results[0].no_answer = "empty";
  harm.results[2].declined = true;
  harm.results[2].prefill = "Sure, first";
  for (int step = 1; step <= 3; ++step) {
    StepRecord record = sample_step(step);
    record.stage = step / 2;
    if (step == 2) record.measured = {{"policy/name", 0.5}};
    run.on_step(record);
  }
  harm.decoding = {.prefill = "Sure,", .temperature = 0.5, .samples = 3};
  for (std::size_t i = 0; i < harm.results.size(); ++i) {
    harm.results[i].probe_id = harm.results[0].probe_id;
    harm.results[i].sample = static_cast<std::int64_t>(i);
  }
  run.on_evaluation(harm);
  harm.condition = "plain+fixed-2";
  harm.decoding.fixed_tokens = 2;
  run.on_evaluation(std::move(harm));
  run.set_spectra({{"w"}, {{3, 2, 1}}, {2.5}});
  run.publish(true);
  RunFile empty(folder / "empty.h5", RunInfo{});
  empty.publish();
  return {folder / "run.h5", folder / "empty.h5"};
}

std::vector<fs::path> activation_files(const Folder& folder) {
  ActivationInfo info;
  info.layers = 2;
  info.d_model = 4;
  info.vocabulary = 3;
  info.all_positions = true;
  info.max_length = 3;
  info.prompts = 1;
  info.attributes = {
      {"version_seawall", "0"}, {"hash_model", "a"}, {"model", "m"}, {"chat_template", "plain"}};
  info.blocks = 1;
  info.heads = 2;
  info.spans = {"sink", "self"};
  info.attn_out = info.mlp_out = true;
  ActivationWriter writer(folder / "acts.h5", info);
  writer.add({"a",
              "c",
              "text",
              {1, 2, 3},
              at::zeros({2, 3, 4}),
              at::zeros({3, 3}),
              at::zeros({1, 3, 4}),
              at::zeros({1, 3, 4}),
              at::zeros({1, 2, 3, 2})});
  auto paths = writer.close();
  info.layers = info.heads = 0;
  info.attn_out = info.mlp_out = false;
  info.attributes.clear();
  ActivationWriter logits(folder / "logits.h5", info);
  logits.add({"a", "c", "text", {1}, {}, at::zeros({1, 3})});
  for (const auto& path : logits.close()) paths.push_back(path);
  info.layers = 2;
  info.all_positions = false;
  ActivationWriter last(folder / "last.h5", info);
  last.add({"a", "c", "text", {1, 2}, at::zeros({2, 1, 4}), at::zeros({1, 3})});
  for (const auto& path : last.close()) paths.push_back(path);
  return paths;
}

std::vector<fs::path> checkpoint_files(const Folder& folder) {
  const auto checkpoint = save_checkpoint(folder / "c", sample_state(10), 2, 1);
  std::vector<fs::path> paths;  // one per tensor
  for (const auto& entry : fs::directory_iterator(checkpoint))
    if (entry.path().extension() == ".h5") paths.push_back(entry.path());
  return paths;
}

void list_datasets(const h5::Reader& reader, const std::string& group,
                   std::vector<std::string>& out) {
  for (const auto& name : reader.list(group.empty() ? "/" : group)) {
    const auto path = group.empty() ? name : group + "/" + name;
    if (reader.is_group(path))
      list_datasets(reader, path, out);
    else
      out.push_back(path);
  }
}

h5::Type type_of(const h5::AttributeValue& value) {
  return std::holds_alternative<std::string>(value)    ? h5::Type::text
         : std::holds_alternative<std::int64_t>(value) ? h5::Type::int64
                                                       : h5::Type::float64;
}

/// Compares one file with its schema and notes which entries it has.
class Walk {
 public:
  Walk(const fs::path& path, const FileSchema& schema, std::set<const FileEntry*>& seen)
      : reader_(path, schema.kind == "checkpoint" ? h5::Trust::verified : h5::Trust::sealed),
        schema_(schema),
        seen_(seen) {}

  void run() {
    for (const auto& [name, value] : reader_.attributes()) {
      const auto* entry = look_up(schema_.attributes, name);
      ASSERT_NE(entry, nullptr) << reader_.path() << " has the attribute " << name;
      EXPECT_EQ(entry->type, type_of(value)) << name;
      mark(entry);
    }
    std::vector<std::string> datasets;
    list_datasets(reader_, "", datasets);
    for (const auto& dataset : datasets) compare(dataset);
    for (const auto list : {schema_.attributes, schema_.datasets})
      for (const auto& entry : list)
        EXPECT_TRUE(!entry.when.empty() || here_.contains(&entry))
            << reader_.path() << ": " << entry.name;
  }

 private:
  void mark(const FileEntry* entry) {
    seen_.insert(entry);
    here_.insert(entry);
  }

  void compare(const std::string& path) {
    // Names of the set `utility` begin with it; those of `harmfulness` have no prefix.
    std::string prefix;
    for (const char* set : {"utility_", "fixed_"})
      if (schema_.kind == "run" && path.starts_with(set)) prefix = set;
    const auto* entry = look_up(schema_.datasets, path.substr(prefix.size()));
    ASSERT_NE(entry, nullptr) << reader_.path() << " has the dataset " << path;
    mark(entry);
    EXPECT_EQ(reader_.type(path), entry->type.value_or(reader_.type(path))) << path;
    compare_dims(path, prefix, *entry);
    compare_attributes(path, *entry);
  }

  void compare_dims(const std::string& path, const std::string& prefix, const FileEntry& entry) {
    if (schema_.kind == "checkpoint") {
      const std::size_t rank = entry.dims.empty() ? 0 : 1;
      EXPECT_TRUE(!entry.type || reader_.shape(path).size() == rank) << path;
      return;
    }
    auto dims = dims_of(entry, reader_.shape(path).size() == dims_of(entry).size());
    bool of_set = false;
    for (auto& dim : dims) {
      if (dim != "evaluation" && dim != "probe") continue;
      dim.insert(0, prefix);
      of_set = true;
    }
    EXPECT_TRUE(prefix.empty() || of_set) << path << " belongs to no set of probes";
    EXPECT_EQ(reader_.dims(path), dims) << path;
  }

  void compare_attributes(const std::string& path, const FileEntry& entry) {
    const bool bare = entry.name == entry.dims && entry.type == h5::Type::float32;
    const bool described = schema_.kind != "checkpoint" && !bare;
    const auto text = [&](const char* name) {
      return reader_.has_attribute(name, path) ? reader_.text_attribute(name, path) : "";
    };
    EXPECT_EQ(text("long_name"), described ? entry.what : "") << path;
    EXPECT_EQ(text("units"), entry.units) << path;
    for (const auto& [name, value] : reader_.attributes(path)) {
      if (name == "long_name" || name == "units") continue;
      const auto* more = look_up(schema_.dataset_attributes, name);
      ASSERT_NE(more, nullptr) << path << " has the attribute " << name;
      EXPECT_EQ(more->type, type_of(value)) << path << " " << name;
      mark(more);
    }
  }

  const h5::Reader reader_;
  const FileSchema& schema_;
  std::set<const FileEntry*>& seen_;
  std::set<const FileEntry*> here_;
};

void compare_both_ways(const std::vector<fs::path>& files, const FileSchema& schema) {
  std::set<const FileEntry*> seen;
  for (const auto& path : files) Walk(path, schema, seen).run();
  for (const auto list : {schema.attributes, schema.datasets, schema.dataset_attributes})
    for (const auto& entry : list)
      EXPECT_TRUE(seen.contains(&entry)) << schema.kind << ": no file has " << entry.name;
}

TEST(Schema, RunFilesHaveWhatItSaysAndNothingElse) {
  const Folder folder;
  compare_both_ways(run_files(folder), run_schema());
}
TEST(Schema, ActivationFilesHaveWhatItSaysAndNothingElse) {
  const Folder folder;
  compare_both_ways(activation_files(folder), activation_schema());
}
TEST(Schema, CheckpointsHaveWhatItSaysAndNothingElse) {
  const Folder folder;
  compare_both_ways(checkpoint_files(folder), checkpoint_schema());
}

TEST(Schema, AWriterThatNamesSomethingElseIsWrong) {
  h5::Writer writer;
  SchemaWriter out(writer, run_schema());
  const std::vector<std::int64_t> steps = {1, 2};
  out.coordinate("step", steps);
  EXPECT_THROW(out.variable("lost", steps), std::logic_error);
  EXPECT_THROW(out.variable("loss", steps), std::logic_error);  // float64 is wanted
  EXPECT_THROW(out.attribute("haste_model", "x"), std::logic_error);
  EXPECT_THROW(out.attribute("seed", "x"), std::logic_error);
  EXPECT_THROW(out.variable("epoch", steps, {{"colour", std::string("red")}}), std::logic_error);
  EXPECT_NO_THROW(out.variable("epoch", steps));
}

TEST(Schema, AStarIsTextWithoutASlash) {
  const FileEntry entries[] = {{"policies/*/tensors/*", "", {}, "", "", ""},
                               {"hash_*", "", {}, "", "", ""}};
  EXPECT_NE(look_up(entries, "policies/weight-drift/tensors/mean"), nullptr);
  EXPECT_NE(look_up(entries, "hash_model"), nullptr);
  for (const char* name : {"policies/a/b/tensors/x", "policies/tensors/x", "policies/a/tensors/x/y",
                           "policies/a/tensors/", "hash_", "hash"})
    EXPECT_EQ(look_up(entries, name), nullptr) << name;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

/// A file that says no more than its kind and version.
void write_head(const fs::path& path, const char* kind, std::optional<std::int64_t> version) {
  h5::Writer writer;
  writer.attribute("seawall_kind", kind);
  if (version) writer.attribute("format_version", *version);
  h5::publish(path, writer);
}

TEST(Schema, EveryReaderRefusesAFormatThatItDoesNotKnow) {
  const Folder folder;
  const auto path = folder / "state.h5";
  const std::pair<const char*, std::function<void()>> readers[] = {
      {"run", [&] { read_run(path); }},
      {"run", [&] { describe_file(path); }},
      {"activations", [&] { describe_file(path); }},
      {"checkpoint", [&] { read_state(folder.path(), {"state.h5"}, true); }}};
  for (const auto& [kind, read] : readers) {
    write_head(path, kind, 9);
    EXPECT_NE(message_of(read).find("format_version 9"), std::string::npos) << message_of(read);
    for (const auto version : {std::optional<std::int64_t>(), std::optional<std::int64_t>(0)}) {
      write_head(path, kind, version);
      EXPECT_NE(message_of(read).find("format_version is missing"), std::string::npos)
          << message_of(read);
    }
  }
  write_head(path, "activations", 1);
  EXPECT_NE(message_of([&] { read_run(path); }).find("want a Seawall file of the kind `run`"),
            std::string::npos);
}

std::string code(std::string_view text) {
  return text.empty() ? "" : "`" + std::string(text) + "`";
}

/// The tables of one kind of file, in Markdown.
std::string page_of(const FileSchema& schema, const std::string& title) {
  std::string out = "### " + title + " (format version " + std::to_string(schema.version) + ")\n\n";
  const auto row = [&](const FileEntry& e, const std::string& dims) {
    const auto type = e.type ? std::string(h5::type_name(*e.type)) : "the tensor's";
    out += "| " + code(e.name) + " | " + dims + type + " | " + std::string(e.what) + " | " +
           (e.when.empty() ? "always" : std::string(e.when)) + " | " + std::to_string(e.since) +
           " |\n";
  };
  out += "| attribute of the file | type | what | written | since |\n|---|---|---|---|---|\n";
  for (const auto& entry : schema.attributes) row(entry, "");
  out +=
      "\n| dataset | dimensions | unit | type | what | written | since |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const auto& entry : schema.datasets)
    row(entry, code(entry.dims) + " | " + std::string(entry.units) + " | ");
  out += "\n| attribute of datasets | type | what | at | since |\n|---|---|---|---|---|\n";
  for (const auto& entry : schema.dataset_attributes) row(entry, "");
  return out + "\n";
}

/// SEAWALL_WRITE_DOCS=1 writes the page's tables in place of comparing them.
TEST(Schema, ThePageHasItsTables) {
  const auto path = fs::path(SEAWALL_SOURCE_DIR) / "docs" / "hdf5.md";
  const auto page = read_file(path);
  const std::string begin =
                        "<!-- written by tests/store/test_schema.cpp, SEAWALL_WRITE_DOCS=1 -->\n",
                    end = "<!-- end -->\n";
  const auto from = page.find(begin), to = page.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to);
  const auto tables = page_of(run_schema(), "Run file") +
                      page_of(activation_schema(), "Activations") +
                      page_of(checkpoint_schema(), "State of a checkpoint");
  if (std::getenv("SEAWALL_WRITE_DOCS") != nullptr)
    spit(path, page.substr(0, from + begin.size()) + tables + page.substr(to));
  else
    EXPECT_EQ(page.substr(from + begin.size(), to - from - begin.size()), tables)
        << "run test_store once with SEAWALL_WRITE_DOCS=1";
}

}  // namespace
}  // namespace seawall
