#include "store/checkpoint_state.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "seawall/core/error.hpp"
#include "store/schema.hpp"
#include "store/tensor_io.hpp"

namespace seawall {
namespace {

const auto& find_key(const auto& map, std::string_view key, const std::string& group,
                     const char* kind) {
  const auto found = map.find(key);
  if (found == map.end())
    throw DataError("checkpoint state of " + (group.empty() ? "a policy" : group) + ": the " +
                    kind + " `" + std::string(key) +
                    "` is missing; the checkpoint was made by another version");
  return found->second;
}

/// What a file takes besides its tensors: groups, numbers and texts.
constexpr std::uint64_t small_bytes = std::uint64_t{1} << 16;

/// A tensor and the group that it goes into.
struct Place {
  std::string group;
  const std::string* name;
  const Tensor* tensor;
  /// With what HDF5 writes around it.
  std::uint64_t bytes() const { return stored_bytes(*tensor) + 4096; }
};

std::string tensors_of_policy(const std::string& policy) {
  return "policies/" + link_name(policy) + "/tensors";
}

/// Every tensor of a state in the order of the files.
std::vector<Place> places_of(const CheckpointState& state) {
  std::vector<Place> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& group, const std::string& name, const Tensor& tensor) {
    if (name.empty() || !seen.insert(group + "/" + name).second)
      throw RunError(group + "/" + name + ": a tensor's name is empty or comes twice");
    if (!tensor.defined())
      throw RunError(group + "/" + name + ": cannot store a tensor that is not defined");
    out.push_back({group, &name, &tensor});
  };
  for (const auto& [name, tensor] : state.parameters) add("parameters", name, tensor);
  for (const auto& [name, tensor] : state.optimizer) add("optimizer", name, tensor);
  for (const auto& [policy, group] : state.groups)
    for (const auto& [name, tensor] : group.tensors) add(tensors_of_policy(policy), name, tensor);
  return out;
}

/// How many of the places from `first` on go into one file.
std::size_t fit(const std::vector<Place>& places, std::size_t first, std::uint64_t shard_bytes) {
  std::uint64_t bytes = small_bytes;
  std::size_t count = 0;
  for (; first + count < places.size(); ++count) {
    bytes += places[first + count].bytes();
    if (count > 0 && bytes > shard_bytes) break;
  }
  return count;
}

std::string shard_name(std::size_t index) {
  if (index == 0) return state_file_name;
  char text[32];
  std::snprintf(text, sizeof text, "state-%04zu.h5", index);
  return text;
}

void put_root(SchemaWriter& out, const CheckpointState& state, std::size_t index) {
  out.head();
  out.attribute("step", state.step);
  out.attribute("config_hash", state.config_hash);
  out.attribute("shard", static_cast<std::int64_t>(index));
}

/// The path of a dataset that the schema has.
const std::string& known(const std::string& path) {
  find_entry(checkpoint_schema().datasets, path);
  return path;
}

/// Makes a group and those around it, unless they are there.
void make_groups(h5::Writer& writer, std::set<std::string>& made, const std::string& group) {
  for (std::size_t to = 0; to != std::string::npos;) {
    to = group.find('/', to + 1);
    if (const auto part = group.substr(0, to); made.insert(part).second) writer.group(part);
  }
}

NamedTensors get_tensors(const h5::Reader& reader, const std::string& group) {
  NamedTensors tensors;
  if (!reader.has(group)) return tensors;
  for (const auto& link : reader.list(group))
    tensors.push_back({name_of_link(link), get_tensor(reader, group + "/" + link)});
  return tensors;
}

/// One dataset an entry of a map.
template <class Map>
void put_map(h5::Writer& writer, const std::string& group, const Map& map) {
  writer.group(group);
  for (const auto& [key, value] : map) {
    const auto path = known(group + "/" + link_name(key));
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, double>) {
      writer.dataset(path, {}, h5::Values(h5::Type::float64, &value, 1));
    } else if constexpr (std::is_same_v<Value, std::string>) {
      writer.dataset(path, {}, h5::Values(h5::Type::text, &value, 1));
    } else {
      writer.dataset(path, {value.size()}, h5::Values(value));
    }
  }
}

void get_numbers(const h5::Reader& reader, const std::string& group, auto& map) {
  for (const auto& link : reader.list(group)) {
    const auto path = group + "/" + link;
    const auto values = reader.float64(path);
    if (values.size() != 1)
      throw DataError(reader.path().string() + ": " + path + ": want one number");
    map[name_of_link(link)] = values.front();
  }
}

void get_texts(const h5::Reader& reader, const std::string& group, auto& map) {
  for (const auto& link : reader.list(group))
    map[name_of_link(link)] = reader.text(group + "/" + link);
}

}  // namespace

void StateGroup::tensor(std::string_view key, const Tensor& value) {
  tensors.insert_or_assign(std::string(key), value.detach().to(at::kCPU).clone());
}
void StateGroup::number(std::string_view key, double value) {
  numbers.insert_or_assign(std::string(key), value);
}
void StateGroup::text(std::string_view key, std::string_view value) {
  texts.insert_or_assign(std::string(key), std::string(value));
}
Tensor StateGroup::tensor(std::string_view key) const {
  return find_key(tensors, key, name, "tensor").clone();
}
double StateGroup::number(std::string_view key) const {
  return find_key(numbers, key, name, "number");
}
std::string StateGroup::text(std::string_view key) const {
  return find_key(texts, key, name, "text");
}
bool StateGroup::has(std::string_view key) const {
  return tensors.contains(key) || numbers.contains(key) || texts.contains(key);
}

namespace {

/// Numbers, integers and texts of the run and of its policies, with every group that a reader looks
/// for.
void put_small(h5::Writer& writer, const CheckpointState& state, std::set<std::string>& made) {
  for (const char* group : {"parameters", "optimizer"}) make_groups(writer, made, group);
  put_map(writer, "numbers", state.numbers);
  put_map(writer, "integers", state.integers);
  put_map(writer, "texts", state.texts);
  make_groups(writer, made, "policies");
  for (const auto& [name, group] : state.groups) {
    const auto path = "policies/" + link_name(name);
    make_groups(writer, made, path + "/tensors");
    put_map(writer, path + "/numbers", group.numbers);
    put_map(writer, path + "/texts", group.texts);
  }
}

void add_tensors(CheckpointState& state, const h5::Reader& reader, bool everything) {
  const auto append = [&reader](NamedTensors& list, const std::string& group) {
    for (auto& named : get_tensors(reader, group)) list.push_back(std::move(named));
  };
  append(state.parameters, "parameters");
  if (!everything) return;
  append(state.optimizer, "optimizer");
  if (!reader.has("policies")) return;
  for (const auto& link : reader.list("policies")) {
    auto& group = state.groups[name_of_link(link)];
    group.name = name_of_link(link);
    for (auto& [name, tensor] : get_tensors(reader, "policies/" + link + "/tensors"))
      group.tensors[name] = std::move(tensor);
  }
}

}  // namespace

bool is_state_file(const std::string& name) {
  if (name == state_file_name) return true;
  constexpr std::string_view head = "state-", tail = ".h5";
  if (!name.starts_with(head) || !name.ends_with(tail)) return false;
  const auto digits = name.substr(head.size(), name.size() - head.size() - tail.size());
  return digits.size() >= 4 && digits.find_first_not_of("0123456789") == std::string::npos;
}

void write_state(const CheckpointState& state, std::uint64_t shard_bytes,
                 const std::function<void(const std::string& file, std::string_view image)>& put) {
  const auto places = places_of(state);
  std::int64_t shards = 0;
  for (std::size_t first = 0; first < places.size() || shards == 0; ++shards)
    first += fit(places, first, shard_bytes);
  std::size_t first = 0;
  for (std::int64_t index = 0; index < shards; ++index) {
    const std::size_t count = fit(places, first, shard_bytes);
    std::size_t bytes = small_bytes;
    for (std::size_t i = first; i < first + count; ++i) bytes += places[i].bytes();
    h5::Writer writer(bytes, true);
    std::set<std::string> made;
    SchemaWriter out(writer, checkpoint_schema());
    put_root(out, state, static_cast<std::size_t>(index));
    if (index == 0) {
      out.attribute("shards", shards);
      put_small(writer, state, made);
    }
    for (std::size_t i = first; i < first + count; ++i) {
      const Place& place = places[i];
      make_groups(writer, made, place.group);
      put_tensor(writer, known(place.group + "/" + link_name(*place.name)), *place.tensor);
    }
    first += count;
    put(shard_name(static_cast<std::size_t>(index)), writer.image());
  }
}

CheckpointState read_state(const std::filesystem::path& folder,
                           const std::vector<std::string>& verified, bool everything) {
  const auto path = folder / state_file_name;
  const h5::Reader reader(path, h5::Trust::verified);
  check_kind(reader, checkpoint_schema());
  const auto whole = [&](const char* name) {
    const auto value = reader.attribute(name);
    if (!std::holds_alternative<std::int64_t>(value))
      throw DataError(path.string() + ": " + name + " is not an integer");
    return std::get<std::int64_t>(value);
  };
  CheckpointState state;
  state.step = whole("step");
  state.config_hash = reader.text_attribute("config_hash");
  get_numbers(reader, "numbers", state.numbers);
  get_texts(reader, "texts", state.texts);
  for (const auto& link : reader.list("integers"))
    state.integers[name_of_link(link)] = reader.int64("integers/" + link);
  add_tensors(state, reader, everything);
  if (everything) {
    for (auto& [name, group] : state.groups) {
      const auto base = "policies/" + link_name(name);
      get_numbers(reader, base + "/numbers", group.numbers);
      get_texts(reader, base + "/texts", group.texts);
    }
  }
  // Format 1 has one file and does not count it.
  const std::int64_t shards = reader.has_attribute("shards") ? whole("shards") : 1;
  for (std::int64_t index = 1; index < shards; ++index) {
    const auto name = shard_name(static_cast<std::size_t>(index));
    const auto file = folder / name;
    if (std::ranges::find(verified, name) == verified.end())
      throw DataError(file.string() + ": the manifest does not name it, and the state has " +
                      std::to_string(shards) + " files");
    const h5::Reader shard(file, h5::Trust::verified);
    check_kind(shard, checkpoint_schema());
    add_tensors(state, shard, everything);
  }
  return state;
}

}  // namespace seawall
