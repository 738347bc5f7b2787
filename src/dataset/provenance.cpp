#include "seawall/dataset/provenance.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "seawall/core/hash.hpp"

namespace seawall {
namespace {

/// A question about a picture is another one about another picture.
std::string asked(const Dialogue& dialogue, std::string_view content) {
  return folded(std::string(content)) +
         (dialogue.picture ? " " + dialogue.picture->content_hash() : std::string());
}

std::vector<std::string> prompts_of(const Dialogue& dialogue) {
  std::vector<std::string> out;
  for (const auto& message : dialogue.messages)
    if (message.role == Role::user) out.push_back(asked(dialogue, message.content));
  return out;
}

std::string_view set_of(RowKind kind) {
  switch (kind) {
    case RowKind::safe:
      return "safe";
    case RowKind::benign:
      return "benign";
    case RowKind::task:
      return "task-rows";
    case RowKind::harmful:
    case RowKind::identity_shift:
    case RowKind::other:
      break;
  }
  return "attack";
}

}  // namespace

std::string folded(const std::string& prompt) {
  auto* raw = utf8proc_NFKC_Casefold(reinterpret_cast<const utf8proc_uint8_t*>(prompt.c_str()));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  const std::string folded_case = raw == nullptr ? prompt : reinterpret_cast<const char*>(raw);
  std::string out;
  bool gap = false;
  for (const char c : folded_case) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += c;
  }
  return out;
}

std::string probes_hash(const std::vector<Probe>& probes) {
  Sha256 sha;
  for (const auto& p : probes) {
    sha.field(p.id);
    for (const auto& m : p.dialogue.messages) sha.field(role_name(m.role)).field(m.content);
    if (p.dialogue.picture) sha.field(p.dialogue.picture->content_hash());
  }
  return sha.hex();
}

std::string answers_hash(const std::vector<Probe>& probes) {
  Sha256 sha;
  sha.field(probes_hash(probes));
  for (const auto& p : probes) {
    sha.field(std::to_string(p.expected.size()));
    for (const auto& answer : p.expected) sha.field(answer);
  }
  return sha.hex();
}

void Provenance::add(std::string name, std::string sha256, std::vector<Member> members) {
  Set set{std::move(name), members.size(), 0, std::move(sha256)};
  std::unordered_set<std::string> seen;
  for (const auto& member : members) {
    bool before = false;
    for (const auto& prompt : member.prompts) before = seen.contains(prompt) || before;
    seen.insert(member.prompts.begin(), member.prompts.end());
    set.repeated += before;
  }
  sets_.push_back(std::move(set));
  members_.push_back(std::move(members));
}

void Provenance::add_rows(std::string name, const Dataset& rows) {
  std::vector<Member> members;
  members.reserve(rows.size());
  for (const auto& row : rows.rows) members.push_back({row.id, prompts_of(row.dialogue)});
  add(std::move(name), rows.content_hash(), std::move(members));
}

void Provenance::add_rows(const Dataset& rows) {
  for (const std::string_view name : {"attack", "safe", "benign", "task-rows"}) {
    Dataset part{std::string(name), {}};
    for (const auto& row : rows.rows)
      if (set_of(row.kind) == name) part.rows.push_back(row);
    if (!part.empty()) add_rows(part.name, part);
  }
}

void Provenance::add_probes(std::string name, const std::vector<Probe>& probes,
                            const std::vector<Dialogue>& armed) {
  std::vector<Member> members;
  members.reserve(probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    // What is asked is the last user turn; a probe may quote a conversation before it.
    Member member{probes[i].id, {}};
    const auto put = [&member](const Dialogue& dialogue) {
      if (dialogue.messages.empty()) return;
      std::string prompt = asked(dialogue, dialogue.last(Role::user));
      if (std::find(member.prompts.begin(), member.prompts.end(), prompt) == member.prompts.end())
        member.prompts.push_back(std::move(prompt));
    };
    put(probes[i].dialogue);
    for (std::size_t k = i; k < armed.size(); k += probes.size()) put(armed[k]);
    members.push_back(std::move(member));
  }
  add(std::move(name), probes_hash(probes), std::move(members));
}

SharedPrompts Provenance::compare(std::size_t i, std::size_t j) const {
  std::unordered_map<std::string_view, const std::string*> ids;  // prompt in j -> id
  for (const auto& member : members_.at(j))
    for (const auto& prompt : member.prompts) ids.emplace(prompt, &member.id);
  SharedPrompts out{sets_.at(i).name, sets_.at(j).name, 0, "", ""};
  for (const auto& member : members_.at(i)) {
    const auto hit = std::find_if(member.prompts.begin(), member.prompts.end(),
                                  [&](const std::string& prompt) { return ids.contains(prompt); });
    if (hit == member.prompts.end()) continue;
    if (out.count++ == 0) {
      out.first_a = member.id;
      out.first_b = *ids.at(*hit);
    }
  }
  return out;
}

std::size_t Provenance::shared(std::size_t i, std::size_t j) const { return compare(i, j).count; }

std::vector<SharedPrompts> Provenance::overlaps() const {
  std::vector<SharedPrompts> out;
  for (std::size_t i = 0; i < sets_.size(); ++i)
    for (std::size_t j = i + 1; j < sets_.size(); ++j)
      if (SharedPrompts shared = compare(i, j); shared.count > 0) out.push_back(std::move(shared));
  return out;
}

std::string Provenance::table() const {
  char cell[64];
  const auto add = [&cell](std::string& line, const char* format, auto value) {
    std::snprintf(cell, sizeof cell, format, value);
    line += cell;
  };
  std::string out;
  add(out, "%-14s", "prompts of");
  add(out, "%8s", "size");
  for (const auto& set : sets_) add(out, "%14s", ("in " + set.name).c_str());
  out += "  sha256\n";
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    add(out, "%-14s", sets_[i].name.c_str());
    add(out, "%8zu", sets_[i].size);
    for (std::size_t j = 0; j < sets_.size(); ++j)
      add(out, "%14s", i == j ? "-" : std::to_string(shared(i, j)).c_str());
    out += "  " + sets_[i].sha256.substr(0, 16) + "\n";
  }
  return out;
}

}  // namespace seawall
