// The traces as CSV.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "seawall/core/text.hpp"
#include "seawall/study/traces.hpp"

namespace seawall {
namespace {

std::string csv_number(double value) {
  if (!std::isfinite(value)) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string csv_moment(const Moment& at) {
  return std::to_string(at.step) + "," + (at.start() ? "start" : at.end ? "end" : "mid");
}

void add_tokens(std::string& out, const std::string& head, const ByToken& tokens) {
  for (std::size_t t = 0; t < tokens.mean.size(); ++t) {
    out += head + "," + std::to_string(t + 1) + "," + std::to_string(tokens.n[t]);
    for (const double x : {tokens.mean[t].value, tokens.mean[t].lo, tokens.mean[t].hi})
      out += "," + csv_number(x);
    out += "\n";
  }
}

/// `refused` are the restricted probes that the start refused, `answered` the ordinary ones that it
/// answered in full.
std::string tokens_csv(const TraceReading& traces, ByToken DepthMoment::*refusals,
                       ByToken DepthMoment::*compliant) {
  std::string out = "arm,condition,step,phase,runs,start,token,n,nats,nats_lo,nats_hi\n";
  for (const DepthReading& d : traces.depth)
    for (const DepthMoment& m : d.moments) {
      const std::string head = csv_field(d.arm) + "," + csv_field(d.condition) + "," +
                               csv_moment(m.at) + "," + std::to_string(m.runs);
      add_tokens(out, head + ",refused", m.*refusals);
      add_tokens(out, head + ",answered", m.*compliant);
    }
  return out;
}

std::string csv_spread(const RunSpread& s) {
  return csv_number(s.mean) + "," + csv_number(s.least) + "," + csv_number(s.most);
}

}  // namespace

std::string logprob_csv(const TraceReading& traces) {
  return tokens_csv(traces, &DepthMoment::refusals_logprob, &DepthMoment::compliant_logprob);
}

std::string kl_csv(const TraceReading& traces) {
  return tokens_csv(traces, &DepthMoment::refusals_kl, &DepthMoment::compliant_kl);
}

std::string fixed_csv(const TraceReading& traces) {
  std::string out =
      "arm,condition,fixed_tokens,runs,rate,rate_lo,rate_hi,undone,undone_least,undone_most\n";
  for (const FixedReading& f : traces.fixed)
    for (const FixedTokens& one : f.fixed) {
      out += csv_field(f.arm) + "," + csv_field(f.condition) + "," + std::to_string(one.tokens) +
             "," + std::to_string(one.runs);
      for (const double x : {one.rate.value, one.rate.lo, one.rate.hi})
        out += "," + csv_number(100 * x);
      out += "," + csv_spread(one.undone) + "\n";
    }
  return out;
}

std::string direction_csv(const TraceReading& traces) {
  std::string out =
      "arm,condition,step,phase,runs,layer,cosine,cosine_least,cosine_most,length,length_least,"
      "length_most\n";
  for (const DirectionReading& d : traces.direction)
    for (const DirectionMoment& m : d.moments)
      for (std::size_t layer = 0; layer < m.cosine.size(); ++layer)
        out += csv_field(d.arm) + "," + csv_field(d.condition) + "," + csv_moment(m.at) + "," +
               std::to_string(m.runs) + "," + std::to_string(layer) + "," +
               csv_spread(m.cosine[layer]) + "," + csv_spread(m.length[layer]) + "\n";
  return out;
}

std::string drift_harm_csv(const TraceReading& traces) {
  std::string out =
      "table,arm,condition,step,phase,runs,drift,drift_least,drift_most,rate,rate_lo,rate_hi\n";
  for (const HarmReading& h : traces.harm)
    for (const HarmMoment& m : h.moments) {
      out += csv_field(h.table) + "," + csv_field(h.arm) + "," + csv_field(h.condition) + "," +
             csv_moment(m.at) + "," + std::to_string(m.runs) + "," + csv_spread(m.drift);
      for (const double x : {m.rate.value, m.rate.lo, m.rate.hi}) out += "," + csv_number(100 * x);
      out += "\n";
    }
  return out;
}

std::string rows_csv(const TraceReading& traces) {
  std::size_t epochs = 0;
  for (const RowsReading& r : traces.rows)
    for (const LearnedRow& row : r.rows) epochs = std::max(epochs, row.loss.size());
  std::string out = "arm,row_id,row_kind,bytes,runs,measure,moved";
  for (std::size_t e = 1; e <= epochs; ++e) out += ",loss_" + std::to_string(e);
  out += "\n";
  for (const RowsReading& r : traces.rows)
    for (const LearnedRow& row : r.rows) {
      out += csv_field(r.arm) + "," + csv_field(row.id) + "," + csv_field(row.kind) + "," +
             std::to_string(row.text.size()) + "," + std::to_string(row.runs) + "," +
             (r.once ? "loss" : "fall") + "," + csv_number(row.moved);
      for (std::size_t e = 0; e < epochs; ++e)
        out += "," + (e < row.loss.size() ? csv_number(row.loss[e]) : "");
      out += "\n";
    }
  return out;
}

}  // namespace seawall
