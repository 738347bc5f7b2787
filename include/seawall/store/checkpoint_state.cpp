#include "seawall/store/checkpoint_state.hpp"

#include <set>

#include "seawall/core/error.hpp"
#include "seawall/store/tensor_io.hpp"

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

void put_tensors(h5::Writer& writer, const std::string& group, const NamedTensors& tensors) {
  writer.group(group);
  std::set<std::string_view> seen;
  for (const auto& [name, tensor] : tensors) {
    if (name.empty() || !seen.insert(name).second)
      throw RunError(group + "/" + name + ": a tensor's name is empty or comes twice");
    put_tensor(writer, group + "/" + link_name(name), tensor);
  }
}

NamedTensors get_tensors(const h5::Reader& reader, const std::string& group) {
  NamedTensors tensors;
  for (const auto& link : reader.list(group))
    tensors.push_back({name_of_link(link), get_tensor(reader, group + "/" + link)});
  return tensors;
}

/// One dataset an entry of a map.
template <class Map>
void put_map(h5::Writer& writer, const std::string& group, const Map& map) {
  writer.group(group);
  for (const auto& [key, value] : map) {
    const auto path = group + "/" + link_name(key);
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

NamedTensors listed(const std::map<std::string, Tensor, std::less<>>& tensors) {
  NamedTensors out;
  for (const auto& [name, tensor] : tensors) out.push_back({name, tensor});
  return out;
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

h5::Writer write_state(const CheckpointState& state) {
  std::size_t bytes = 0;
  for (const auto* list : {&state.parameters, &state.optimizer}) {
    for (const auto& [name, tensor] : *list) bytes += tensor.defined() ? stored_bytes(tensor) : 0;
  }
  h5::Writer writer(bytes);
  writer.attribute("title", std::string("Seawall checkpoint"));
  writer.attribute("seawall_kind", std::string("checkpoint"));
  writer.attribute("format_version", std::int64_t{1});
  writer.attribute("step", state.step);
  writer.attribute("config_hash", state.config_hash);
  put_tensors(writer, "parameters", state.parameters);
  put_tensors(writer, "optimizer", state.optimizer);
  put_map(writer, "numbers", state.numbers);
  put_map(writer, "integers", state.integers);
  put_map(writer, "texts", state.texts);
  writer.group("policies");
  for (const auto& [name, group] : state.groups) {
    const auto path = "policies/" + link_name(name);
    writer.group(path);
    put_tensors(writer, path + "/tensors", listed(group.tensors));
    put_map(writer, path + "/numbers", group.numbers);
    put_map(writer, path + "/texts", group.texts);
  }
  return writer;
}

CheckpointState read_state(const std::filesystem::path& path, bool everything) {
  const h5::Reader reader(path, h5::Trust::verified);
  if (reader.text_attribute("seawall_kind") != "checkpoint")
    throw DataError(path.string() + ": want the state of a checkpoint");
  CheckpointState state;
  const auto step = reader.attribute("step");
  if (!std::holds_alternative<std::int64_t>(step))
    throw DataError(path.string() + ": step is not an integer");
  state.step = std::get<std::int64_t>(step);
  state.config_hash = reader.text_attribute("config_hash");
  state.parameters = get_tensors(reader, "parameters");
  get_numbers(reader, "numbers", state.numbers);
  get_texts(reader, "texts", state.texts);
  for (const auto& link : reader.list("integers"))
    state.integers[name_of_link(link)] = reader.int64("integers/" + link);
  if (!everything) return state;
  state.optimizer = get_tensors(reader, "optimizer");
  for (const auto& link : reader.list("policies")) {
    const auto base = "policies/" + link;
    auto& group = state.groups[name_of_link(link)];
    group.name = name_of_link(link);
    for (auto& [name, tensor] : get_tensors(reader, base + "/tensors"))
      group.tensors[name] = std::move(tensor);
    get_numbers(reader, base + "/numbers", group.numbers);
    get_texts(reader, base + "/texts", group.texts);
  }
  return state;
}

}  // namespace seawall
