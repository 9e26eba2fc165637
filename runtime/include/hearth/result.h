/// \file Result: a value or an Error. Failures are values here; exceptions never cross a hearth interface.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace hearth {

/// Few codes, sorted by what the caller can do about them. Values are stable: they appear in traces and metrics.
enum class ErrorCode {
  kInvalidArgument = 1,    ///< The call or the file is wrong: correct it; trying again will not help.
  kNotFound = 2,           ///< A named thing (file, model, endpoint) does not exist.
  kCorrupt = 3,            ///< Bytes that do not mean what they should: a cut file, a reply of the wrong shape.
  kPermissionDenied = 4,   ///< The privacy policy says no. Never retried, never worked around.
  kResourceExhausted = 5,  ///< A bound was reached (queue, budget, size). Later may be different.
  kUnavailable = 6,        ///< The other side cannot be reached or refuses. Later may be different.
  kDeadlineExceeded = 7,   ///< The time given ran out.
  kCancelled = 8,          ///< The caller withdrew the request.
  kInternal = 9,           ///< A defect, here or in a library. Please report it.
};

/// The code's stable name in snake_case, as written to traces ("deadline_exceeded").
const char* name_of(ErrorCode code);

/// What went wrong. `message` names the thing and what was expected, and never holds payload text.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

/// A `T` or an `Error`. Ask `ok()` first: `value()` on an error and `error()` on a value are bugs (asserted).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
  Result(ErrorCode code, std::string message) : Result(Error{code, std::move(message)}) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// The result of an operation that yields nothing but can fail.
struct Done {};
using Status = Result<Done>;

}  // namespace hearth
