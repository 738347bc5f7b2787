#include "seawall/exchange/event_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "exchange/formats.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/summary.hpp"

namespace seawall {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

/// A message of protocol buffers, field by field.
/// Source: protobuf.dev, "Encoding".
class ProtoMessage {
 public:
  ProtoMessage& whole(int field, std::uint64_t value) {
    key(field, 0);
    varint(value);
    return *this;
  }
  ProtoMessage& real(int field, double value) { return fixed(field, 1, value); }
  ProtoMessage& real(int field, float value) { return fixed(field, 5, value); }
  ProtoMessage& text(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void key(int field, unsigned type) { varint(static_cast<std::uint64_t>(field) << 3 | type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  template <class T>
  ProtoMessage& fixed(int field, unsigned type, T value) {
    key(field, type);
    const auto raw = std::bit_cast<std::array<char, sizeof(T)>>(value);
    bytes_.append(raw.data(), raw.size());
    return *this;
  }
  std::string bytes_;
};

// Field numbers: event.proto and summary.proto.
enum EventField {
  wall_time_field = 1,
  step_field,
  version_field,
  summary_field = 5,
  session_field = 7
};

ProtoMessage event_at(std::int64_t step, double wall_time) {
  ProtoMessage event;
  event.real(wall_time_field, wall_time);
  if (step != 0) event.whole(step_field, static_cast<std::uint64_t>(step));
  return event;
}

/// CRC-32C, rotated and shifted, as TFRecord stores it.
std::uint32_t masked_crc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xA282EAD8U;
}

std::string raw_bytes(auto value) {
  const auto raw = std::bit_cast<std::array<char, sizeof value>>(value);
  return {raw.data(), raw.size()};
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& file, double wall_time)
    : path_(file),
      file_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0)
    throw IoError(path_.string() + ": cannot create the event file: " + std::strerror(errno));
  append(event_at(0, wall_time).text(version_field, "brain.Event:2").bytes());
  constexpr std::uint64_t start = 1;  // SessionLog.START: what is known from this step on is void
  append(
      event_at(0, wall_time).text(session_field, ProtoMessage().whole(1, start).bytes()).bytes());
}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
}

void EventFile::append(std::string_view event) {
  const std::string length = raw_bytes(static_cast<std::uint64_t>(event.size()));
  std::string record = length + raw_bytes(masked_crc(length));
  record += event;
  record += raw_bytes(masked_crc(event));
  for (std::string_view left = record; !left.empty();) {
    const auto written = ::write(file_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      throw IoError(path_.string() + ": cannot write events: " + std::strerror(errno));
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

void EventFile::add_points(const Points& points, std::int64_t step, double wall_time) {
  ProtoMessage summary;
  for (const auto& [tag, value] : points)
    if (!std::isnan(value))
      summary.text(1, ProtoMessage().text(1, tag).real(2, static_cast<float>(value)).bytes());
  append(event_at(step, wall_time).text(summary_field, summary.bytes()).bytes());
}

void EventFile::add(const StepRecord& s, double wall_time) {
  Points points{{"train/loss", s.loss},   {"train/penalty", s.penalty},
                {"train/lr", s.lr},       {"train/grad_norm", s.grad_norm},
                {"train/drift", s.drift}, {"train/moved", s.moved}};
  if (s.seconds > 0)
    points.emplace_back("train/tokens_per_second", static_cast<double>(s.tokens) / s.seconds);
  for (const auto& [name, value] : s.measured) points.emplace_back("measured/" + name, value);
  add_points(points, s.step, wall_time);
}

void EventFile::add(const EvaluationRecord& e, double wall_time) {
  Points points;
  for (std::size_t j = 0; j < e.judges.size(); ++j) {
    const Summary s = summarize(e, j);
    const std::string tag = probe_set_name(e.set) + "/" + e.condition + "/" + e.judges[j] + "/";
    points.emplace_back(tag + "rate", s.rate());
    points.emplace_back(tag + "refusal_rate", s.refusal_rate());
    points.emplace_back(tag + "mean_score", s.mean_score);
    points.emplace_back(tag + "judged", static_cast<double>(s.judged()));
  }
  add_points(points, e.step, wall_time);
}

void EventFile::add(const RunData& run) {
  double time = wall_time_of(run.info.started_utc);
  auto evaluation = run.evaluations.begin();
  const auto evaluations_to = [&](std::int64_t step) {
    for (; evaluation != run.evaluations.end() && evaluation->step <= step; ++evaluation) {
      time += evaluation->seconds;
      add(*evaluation, time);
    }
  };
  evaluations_to(0);
  for (const auto& step : run.steps) {
    time += step.seconds;
    add(step, time);
    evaluations_to(step.step);
  }
  evaluations_to(std::numeric_limits<std::int64_t>::max());  // of a run without records of steps
}

std::string event_file_name(double wall_time, const std::string& run_id) {
  char seconds[40];
  std::snprintf(seconds, sizeof seconds, "%017.6f", wall_time);
  return "events.out.tfevents." + std::string(seconds) + "." + run_id;
}

double wall_time_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double wall_time_of(const std::string& utc) {
  std::tm parts{};
  if (strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return 0;
  return static_cast<double>(timegm(&parts));
}

std::string write_events(const RunData& run, const std::filesystem::path& place) {
  const double started = wall_time_of(run.info.started_utc);
  EventFile events(place / event_file_name(started, run.info.run_id), started);
  events.add(run);
  return std::to_string(run.steps.size()) + " steps, " + std::to_string(run.evaluations.size()) +
         " evaluations; tensorboard --logdir shows them";
}

}  // namespace seawall
