#include "seawall/remote/spending.hpp"

#include <cstdio>

namespace seawall {

std::int64_t tokens_about(std::string_view text) {
  std::int64_t ascii = 0, other = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ascii += byte < 0x80;
    other += byte >= 0xC0;  // the first byte of a character
  }
  return (ascii + 2) / 3 + (3 * other + 1) / 2;
}

std::int64_t tokens_about(const Dialogue& dialogue) {
  std::int64_t tokens = 3;
  for (const auto& message : dialogue.messages) tokens += 5 + tokens_about(message.content);
  return tokens;
}

bool Spending::reserve(double usd) {
  // A rounding error of many small sums must not refuse what the budget holds.
  if (budget_ > 0 && spent() + reserved_ + usd > budget_ * (1 + 1e-9)) return false;
  reserved_ += usd;
  return true;
}

void Spending::restore(const std::string& purpose, const Account& account) {
  Account& mine = accounts_[purpose];
  mine.usd += account.usd;
  mine.tokens_in += account.tokens_in;
  mine.tokens_out += account.tokens_out;
  mine.requests += account.requests;
}

void Spending::charge(const std::string& purpose, double usd, const Usage& usage,
                      std::int64_t requests) {
  const Account change{
      .usd = usd, .tokens_in = usage.in, .tokens_out = usage.out, .requests = requests};
  restore(purpose, change);
  if (on_charge) on_charge(purpose, change);
}

double Spending::spent() const {
  double sum = 0;
  for (const auto& [purpose, account] : accounts_) sum += account.usd;
  return sum;
}

std::string Spending::table() const {
  std::string out;
  char line[256];
  for (const auto& [purpose, a] : accounts_) {
    std::snprintf(line, sizeof line, "%-12s %lld requests, %lld tokens in, %lld out, $%.6g\n",
                  purpose.c_str(), static_cast<long long>(a.requests),
                  static_cast<long long>(a.tokens_in), static_cast<long long>(a.tokens_out), a.usd);
    out += line;
  }
  std::snprintf(line, sizeof line, "cost         $%.6g", spent());
  out += line;
  if (budget_ > 0) {
    std::snprintf(line, sizeof line, " of a budget of $%.6g", budget_);
    out += line;
  }
  return out + "\n";
}

}  // namespace seawall
