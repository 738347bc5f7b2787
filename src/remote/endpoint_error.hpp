#pragma once
// What an endpoint says of a failure, in the forms that OpenAI-compatible servers give it.
// Source: error bodies of OpenAI, Azure, vLLM, Mistral, Gemini's compatibility layer, OpenRouter.
#include <string>

namespace seawall {

/// An error object, wherever a body has it. Empty where the body reports none.
struct EndpointError {
  std::string message;  // one line
  std::string code, type, param;
  bool flagged = false;  // the body says that the request's content was flagged
  explicit operator bool() const { return !message.empty() || !code.empty(); }
  /// The message with its code, for a person.
  std::string text() const;
  /// A content filter refuses what the request says; another request may fare better.
  bool about_content() const;
  /// The request is longer than the model reads.
  bool about_length() const;
  /// The account has no money left: waiting does not help.
  bool about_quota() const;
  /// Busy, overloaded or broken for now: the same request may succeed later.
  bool passes() const;
};

/// Reads `error` as text or object, the same in a list of one, `{"object": "error"}`, and the
/// `message` or `detail` of a body that has no `choices`.
EndpointError endpoint_error(const std::string& body);
/// Its message as one line of at most 300 characters; empty where there is none.
std::string error_message(const std::string& body);

/// What a status of 400 to 499 complains of in a chat request.
enum class Complaint {
  content,      // this row alone
  too_long,     // this row, if not the limit of every one
  token_field,  // `max_tokens` is refused, `max_completion_tokens` wanted
  temperature,  // a temperature of 0 is refused
  request,      // another parameter, or the model: every row would fail
  unknown
};
Complaint complaint_of(const EndpointError& error, long status);

}  // namespace seawall
