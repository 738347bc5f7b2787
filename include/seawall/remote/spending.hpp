#pragma once
// What remote models cost: counted by purpose, bounded by a budget.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// Units: tokens.
struct Usage {
  std::int64_t in = 0, out = 0;
};

/// USD a million tokens.
struct Price {
  double in = 0, out = 0;
  double of(const Usage& usage) const {
    return (in * static_cast<double>(usage.in) + out * static_cast<double>(usage.out)) / 1e6;
  }
};

/// Tokens of a text that no tokenizer is there for, rather too many than too few: a token every
/// three ASCII characters, and one and a half for every other character.
std::int64_t tokens_about(std::string_view text);
/// The same for the messages of a dialogue, with what is put around each.
std::int64_t tokens_about(const Dialogue& dialogue);

/// Money that was spent, is promised to requests under way, and may be spent. One thread.
class Spending {
 public:
  struct Account {
    double usd = 0;
    std::int64_t tokens_in = 0, tokens_out = 0, requests = 0;
  };

  /// `budget` in USD; 0 sets no bound.
  explicit Spending(double budget = 0) : budget_(budget) {}

  /// Promises `usd` to a request; false where the budget would not hold it.
  bool reserve(double usd);
  /// Takes a promise back.
  void release(double usd) { reserved_ -= usd; }
  /// Books what a request came to, under `purpose`.
  void charge(const std::string& purpose, double usd, const Usage& usage,
              std::int64_t requests = 1);
  /// Books what an earlier process spent, without telling `on_charge`.
  void restore(const std::string& purpose, const Account& account);

  double budget() const { return budget_; }
  double spent() const;
  const std::map<std::string, Account>& accounts() const { return accounts_; }
  /// One line a purpose and the sum, for a person.
  std::string table() const;
  /// Told of every charge, so that it outlives the process.
  std::function<void(const std::string& purpose, const Account& change)> on_charge;

 private:
  double budget_, reserved_ = 0;
  std::map<std::string, Account> accounts_;
};

}  // namespace seawall
