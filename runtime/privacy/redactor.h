/// \file Redactor: puts placeholders where personal data stands, and the data back where the placeholders return.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

#include "policies/policy.h"
#include "runtime/base/secret_memory.h"
#include "runtime/privacy/originals.h"
#include "runtime/privacy/span.h"

namespace hearth::privacy {

/// One text with placeholders, and what they stand for. The originals lie in SecretMemory and go with this object.
/// Threads: immutable; share freely.
class Redaction {
 public:
  Redaction(const Redaction&) = delete;
  Redaction& operator=(const Redaction&) = delete;

  const std::string& text() const { return text_; }
  std::size_t placeholder_count() const { return places_.size(); }
  /// Whether [begin, end) of text() lies within one placeholder: what a detector finds there is nobody's.
  bool within_placeholder(std::size_t begin, std::size_t end) const;
  /// Where in the text before redaction a span of text() came from; what touches a placeholder takes all of it in.
  Span in_source(const Span& span) const;
  /// `text` with the originals back. Only placeholders of this redaction are known.
  std::string restore(std::string_view text) const;

 private:
  friend class Redactor;
  friend class Restorer;
  friend bool find_originals(std::string_view encoded, const Redaction& redaction);
  Redaction() = default;
  using Known = std::pair<std::string, std::string_view>;

  std::string text_;
  struct Place {
    std::size_t begin, end;                ///< Of a placeholder in text_.
    std::size_t source_begin, source_end;  ///< Of what it stands for, in the text before.
  };
  const Place* last_place_from(std::size_t at) const;
  std::vector<Place> places_;  ///< In order.
  SecretMemory memory_;
  std::vector<Known> known_;  ///< Placeholder and original, sorted; the views point into memory_.
  std::optional<Originals> originals_;
};

/// Whether a value that was redacted stands in an encoded request, in any form that Originals knows. Errs towards yes:
/// a value that is also a word of the protocol is found in each request.
bool find_originals(std::string_view encoded, const Redaction& redaction);

/// Makes placeholders such as `[PERSON_k7f3q5m2x4c4]`: the type, and 60 bits of HMAC-SHA-256 over type and value under
/// a key of the session, in base32 (RFC 4648). Who does not hold the secret can neither guess one nor try values
/// against it. The same value has the same placeholder within a session, another one in each other session and in each
/// request without a session. Threads: const and shareable.
class Redactor {
 public:
  /// `secret` is 32 random bytes; the names of `own` are used in placeholders.
  explicit Redactor(std::string_view secret, std::span<const policies::OwnDetector> own = {});

  /// Replaces the spans, and wherever else one of their values stands: short ones (Originals::kShort) as whole words,
  /// longer ones anywhere. What overlaps becomes one placeholder. What looks like a placeholder already is replaced too
  /// (type TEXT), so that restore(text()) is `text`, byte by byte, whatever it is. Spans may come in any order; what
  /// lies outside the text is cut off. Linear but for sorting. Errors: kInternal when there is no memory for secrets or
  /// no HMAC.
  Result<std::shared_ptr<const Redaction>> redact(std::string_view text, std::span<const Span> spans,
                                                  std::string_view session) const;

 private:
  std::string_view type_of(std::uint8_t slot) const;
  Result<std::string> placeholder(std::string_view key, std::uint8_t slot, std::string_view value) const;
  Status replace(std::string_view text, std::span<const Span> cuts, std::string_view session, Redaction& out) const;

  SecretMemory memory_;
  std::string_view secret_;  ///< In memory_.
  std::vector<std::string> own_types_;
  mutable std::atomic<std::uint64_t> unnamed_{0};  ///< Requests without a session so far.
};

/// Restores a reply that comes in pieces, wherever they are cut. Holds back at most one placeholder's length.
/// Threads: one. The redaction must outlive it.
class Restorer {
 public:
  explicit Restorer(const Redaction& redaction) : redaction_(redaction) {}

  /// What can be shown by now.
  std::string push(std::string_view chunk);
  /// The rest. Afterwards it may be used anew.
  std::string finish() { return std::exchange(held_, {}); }

 private:
  const Redaction& redaction_;
  std::string held_;  ///< Begins like a placeholder and is none yet.
};

/// Restores each element of a kBytes tensor; others are left alone. kCorrupt when the bytes are no elements.
Status restore_texts(Tensor& tensor, const Redaction& redaction);

}  // namespace hearth::privacy
