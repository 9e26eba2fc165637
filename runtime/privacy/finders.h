/// \file Finders: the families of detectors. Each appends what it finds, in bytes of the folded text.
///
/// All take time linear in the text: what one mark can make them read is bounded, or is read once. Within one family
/// spans come in ascending order and do not overlap.
#pragma once

#include <string_view>
#include <vector>

#include "policies/policy.h"
#include "runtime/privacy/lexer.h"
#include "runtime/privacy/span.h"

namespace hearth::privacy {

using Spans = std::vector<Span>;

inline Span span_of(std::size_t begin, std::size_t end, policies::Detected type) {
  return {begin, end, static_cast<std::uint8_t>(type)};
}

/// From `found[first]` on: in order, and what overlaps becomes one span (of the type of the first).
void merge_overlaps(Spans& found, std::size_t first);

/// EMAIL: local part, '@', host with a dot and a top-level domain of letters.
void find_emails(const Marks& marks, Spans& found);
/// IBAN: a country of the IBAN registry (ISO 13616), its length, ISO 7064 mod 97-10.
void find_ibans(const Marks& marks, Spans& found);
/// IP, version 6 in its short forms too (RFC 4291). Version 4 is among the numbers.
void find_ipv6(const Marks& marks, Spans& found);
/// SECRET: keys of known shape, JSON web tokens, private key blocks, values that a keyword announces, random tokens.
void find_secrets(const Marks& marks, Spans& found);
/// CREDIT_CARD SSN NPI MRN DATE_OF_BIRTH and IP version 4. Takes the groups of what it finds, and those of dates.
void find_numbers(Marks& marks, Spans& found);
/// PHONE, from groups that are not taken.
void find_phones(Marks& marks, Spans& found);

}  // namespace hearth::privacy
