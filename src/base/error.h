// The one error model of the program. Codes know no protocol; `http` and `gateway` map them in one place
// each.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok {

enum class ErrorCode {
    invalid_argument,  // the request is malformed or a field breaks a rule; `field` says which
    unauthenticated,   // no valid session or credentials
    forbidden,         // known, but not allowed
    not_found,
    conflict,       // breaks a uniqueness or state rule (name taken, stream already ended)
    unprocessable,  // well-formed, but contradicts an earlier request of the same name
    payload_too_large,
    unsupported_media,
    range_not_satisfiable,
    precondition_failed,
    rate_limited,  // retry_after says when
    unavailable,   // an engine is gone, a queue is full; retry_after says when
    deadline_exceeded,
    insufficient_funds,
    internal,  // a bug or a broken environment; the detail goes to the log only
};

// "not_found" for ErrorCode::not_found: stable, part of the API.
std::string_view to_string(ErrorCode code);

struct ErrorOptions {
    std::string field;  // the JSON field or parameter in question
    std::string
        reason;  // a stable word that clients branch on ("username_taken"); empty: the code says enough
    std::string detail;  // internal: for the log, never for a client
    std::optional<std::chrono::milliseconds> retry_after;
};

class Error : public std::exception {
  public:
    // `message` is public: a sentence for a person.
    Error(ErrorCode code, std::string message, ErrorOptions options = {})
        : code_(code), message_(std::move(message)), options_(std::move(options)) {}

    ErrorCode code() const { return code_; }
    const std::string& message() const { return message_; }
    const std::string& field() const { return options_.field; }
    const std::string& reason() const { return options_.reason; }
    const std::string& detail() const { return options_.detail; }
    std::optional<std::chrono::milliseconds> retry_after() const { return options_.retry_after; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    ErrorCode code_;
    std::string message_;
    ErrorOptions options_;
};

}  // namespace spaktok
