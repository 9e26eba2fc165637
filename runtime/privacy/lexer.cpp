#include "runtime/privacy/lexer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "runtime/privacy/keywords.h"
#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

enum Class : std::uint8_t { kOther, kLetter, kDigit, kAt, kColon, kBlob, kHigh };

constexpr std::array<Class, 256> kClasses = [] {
  std::array<Class, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    auto& entry = classes[static_cast<std::size_t>(c)];
    if (c >= 0x80) entry = kHigh;
    if (c >= '0' && c <= '9') entry = kDigit;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) entry = kLetter;
    if (c == '+' || c == '/' || c == '_' || c == '-' || c == '=') entry = kBlob;
  }
  classes['@'] = kAt;
  classes[':'] = kColon;
  return classes;
}();

Class class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }

/// Where the letters that begin at `at` end. Eight at a time: how long a word is cannot be predicted.
std::size_t letters_end(std::string_view text, std::size_t at) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kEach = 0x0101010101010101;
    while (at + 8 <= text.size()) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, text.data() + at, 8);
      const std::uint64_t small = (bytes | 0x20 * kEach) & 0x7f * kEach;
      const std::uint64_t from_a = small + (0x80 - 'a') * kEach;  // The high bit of each byte: it is 'a' or more.
      const std::uint64_t past_z = small + (0x7f - 'z') * kEach;
      const std::uint64_t others = (~from_a | past_z | bytes) & 0x80 * kEach;
      if (others != 0) return at + static_cast<std::size_t>(std::countr_zero(others)) / 8;
      at += 8;
    }
  }
  while (at < text.size() && is_letter(text[at])) ++at;
  return at;
}

std::uint16_t between(std::string_view text) {
  if (text.size() > 3) return kMuchBetween;
  unsigned marks = 0;
  for (const char c : text) {
    marks |= c == ' '               ? kSpaceBetween
             : c == '-'             ? kDashBetween
             : c == '.'             ? kDotBetween
             : c == '/'             ? kSlashBetween
             : c == '\t'            ? kTabBetween
             : is_space(c)          ? kLineEndBetween
             : c == '_'             ? kUnderscoreBetween
             : c == '(' || c == ')' ? kParenthesisBetween
                                    : kOtherBetween;
  }
  return static_cast<std::uint16_t>(marks);
}

/// How many groups of digits there are. Without branches, and counting in bytes, it runs many bytes at a time.
std::size_t count_groups(std::string_view text) {
  constexpr std::size_t kBlock = 128;
  std::size_t count = !text.empty() && is_digit(text[0]);
  for (std::size_t begin = 1; begin < text.size(); begin += kBlock) {
    const std::size_t end = std::min(text.size(), begin + kBlock);
    std::uint8_t begins = 0;
    for (std::size_t i = begin; i < end; ++i) {
      begins = static_cast<std::uint8_t>(
          begins + (static_cast<unsigned>(is_digit(text[i])) & static_cast<unsigned>(!is_digit(text[i - 1]))));
    }
    count += begins;
  }
  return count;
}

class Lexer {
 public:
  Lexer(std::string_view text, Marks& marks) : text_(text), marks_(marks) {}

  void read() {
    std::size_t at = 0;
    while (at < text_.size()) {
      switch (class_of(text_[at])) {
        case kLetter:
        case kHigh:
          at = word(at);
          if (at == text_.size() || text_[at] != ' ') break;
          [[fallthrough]];
        case kOther:
          end_blob(at++);
          break;
        case kDigit:
          at = number(at);
          break;
        case kAt:
          end_blob(at);
          marks_.ats.push_back(static_cast<Position>(at++));
          break;
        case kColon:
          end_blob(at);
          colon(at++);
          break;
        case kBlob:
          ++at;
          break;
      }
    }
    end_blob(at);
    if (!marks_.groups.empty()) add_group(at, at);
  }

 private:
  void end_blob(std::size_t at) {
    if (at - blob_begin_ >= kBlobMin)
      marks_.blobs.insert(marks_.blobs.end(), {static_cast<Position>(blob_begin_), static_cast<Position>(at)});
    blob_begin_ = at + 1;
  }

  /// A run of letters. Whatever is not ASCII counts as one here; whether it is, is looked up where it matters.
  std::size_t word(std::size_t begin) {
    const std::size_t end = letters_end(text_, begin);
    if (end < text_.size() && !is_ascii(text_[end])) return foreign_word(begin, end);
    const std::size_t size = end - begin;
    if (size > kKeywordMax) {
      phone_ = false;
    } else if (phone_ || may_be_topic(text_, begin, end)) {
      const WordKind kind = kind_of(text_, begin, end);
      if (kind.is_topic) {
        add_keyword(begin, end, kind.topic);
        if (kind.topic != Topic::kPhoneAfter) phone_ = kind.topic == Topic::kPhone;
      } else {
        phone_ = phone_ && kind.is_filler;
      }
    }
    return end;
  }

  /// A run in which not all is ASCII: punctuation that is not does not hide a keyword next to it.
  std::size_t foreign_word(std::size_t begin, std::size_t end) {
    while (true) {
      if (end > begin) {
        if (end - begin <= kKeywordMax && !word_before(text_, begin) && !word_behind(text_, end)) {
          const WordKind kind = kind_of(text_, begin, end);
          if (kind.is_topic) add_keyword(begin, end, kind.topic);
          phone_ = (kind.is_topic && kind.topic == Topic::kPhone) || (phone_ && kind.is_filler);
        } else {
          phone_ = false;
        }
      }
      for (; end < text_.size() && !is_ascii(text_[end]); ++end) end_blob(end);
      begin = end;
      end = letters_end(text_, begin);
      if (end == begin) return end;
    }
  }

  void add_keyword(std::size_t begin, std::size_t end, Topic topic) {
    marks_.keywords.push_back({static_cast<Position>(begin), static_cast<Position>(end), topic});
  }

  std::size_t number(std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < text_.size() && is_digit(text_[end])) ++end;
    if (end > begin + 1) country(begin);
    add_group(begin, end);
    return end;
  }

  /// Notes the two letters right before, or with a space between.
  void country(std::size_t at) {
    if (at > 0 && text_[at - 1] == ' ') --at;
    if (at < 2 || !is_letter(text_[at - 1]) || !is_letter(text_[at - 2])) return;
    if (at == 2 || (!is_letter(text_[at - 3]) && is_ascii(text_[at - 3])))
      marks_.countries.push_back(static_cast<Position>(at - 2));
  }

  void add_group(std::size_t begin, std::size_t end) {
    auto& groups = marks_.groups;
    if (!groups.empty() && end > begin)
      groups.back().between = between(text_.substr(groups.back().end, begin - groups.back().end));
    Group& group = groups.emplace_back();
    group.begin = static_cast<Position>(begin);
    group.end = static_cast<Position>(end);
    group.digits_before = digits_;
    group.luhn_before[0] = static_cast<std::uint8_t>(luhn_[0] % 10);
    group.luhn_before[1] = static_cast<std::uint8_t>(luhn_[1] % 10);
    group.phone_before = phone_;
    for (std::size_t at = begin; at < end; ++at, ++digits_) {
      const auto digit = static_cast<std::uint32_t>(text_[at] - '0');
      const std::uint32_t doubled = digit < 5 ? 2 * digit : 2 * digit - 9;
      luhn_[digits_ % 2] += doubled;
      luhn_[1 - digits_ % 2] += digit;
    }
  }

  void colon(std::size_t at) {
    if (at + 1 < text_.size() && (text_[at + 1] == ':' || is_hex(text_[at + 1])))
      marks_.colons.push_back(static_cast<Position>(at));
  }

  std::string_view text_;
  Marks& marks_;
  std::size_t blob_begin_ = 0;
  std::uint32_t digits_ = 0;
  std::uint64_t luhn_[2] = {0, 0};
  bool phone_ = false;
};

}  // namespace

Marks::Marks(std::string_view text_of, std::pmr::memory_resource* memory)
    : text(text_of), keywords(memory), groups(memory), ats(memory), colons(memory), countries(memory), blobs(memory) {}

Marks read_marks(std::string_view text, std::pmr::memory_resource* memory) {
  Marks marks(text, memory);
  if (const std::size_t groups = count_groups(text); groups != 0) marks.groups.reserve(groups + 1);
  Lexer(text, marks).read();
  return marks;
}

bool foreign_word_before(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  std::uint32_t point = 0;
  return decode_utf8(text.substr(begin), point) != 0 && is_word_point(point);
}

bool foreign_word_behind(std::string_view text, std::size_t at) {
  std::uint32_t point = 0;
  return decode_utf8(text.substr(at), point) != 0 && is_word_point(point);
}

}  // namespace hearth::privacy
