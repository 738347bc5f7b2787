#pragma once
// What a reader found in a file, and how it names a place.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/dataset/instruction.hpp"

namespace seawall {

/// Something in a file that is not used as it is, with how often and the first place.
struct ReadNote {
  std::string what;  // "key 'name' of a message not used"
  std::size_t count = 0;
  std::string first;  // "line 7"
};

/// What a reader found. Rejected records are counted with the first reason.
struct ReadReport {
  std::string format;  // a reader's name and what the file is: chat-jsonl, pairs-csv, ...
  RequestForm form = RequestForm::bare;  // in which its rows ask
  std::size_t rows = 0, rejected = 0;
  std::string first_rejection;  // "line 7: …"
  std::string sha256;           // of the file
  // Rows that could be used and are not: their answer holds a phrase, they are held out, their
  // rating is too low or not there, or each of their answers has weight 0.
  std::size_t filtered = 0, held_out = 0, low_rated = 0, no_loss = 0;
  std::size_t prefilled = 0;  // probes that end with the beginning of an answer
  std::string columns;        // of a table: where the texts come from, e.g. "goal"
  std::vector<ReadNote> notes;
  std::vector<std::pair<std::string, std::size_t>> categories;  // of probes, in their order

  void reject(std::string reason);
  void note(std::string_view what, std::string_view place, std::size_t count = 1);
};

}  // namespace seawall
