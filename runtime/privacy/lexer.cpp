#include "runtime/privacy/lexer.h"

#include <algorithm>
#include <array>

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

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { marks_.text = text; }

  Marks read() {
    std::size_t at = 0;
    while (at < text_.size()) {
      const Class first = class_of(text_[at]);
      if (first == kLetter || first == kHigh) {
        at = word(at);
      } else if (first == kDigit) {
        at = number(at);
      } else {
        if (first != kBlob) end_blob(at);
        if (first == kAt) marks_.ats.push_back(at);
        if (first == kColon) colon(at);
        ++at;
      }
    }
    end_blob(at);
    if (!marks_.groups.empty()) add_group(at, at);
    return std::move(marks_);
  }

 private:
  void end_blob(std::size_t at) {
    if (at - blob_begin_ >= kBlobMin) marks_.blobs.insert(marks_.blobs.end(), {blob_begin_, at});
    blob_begin_ = at + 1;
  }

  /// A run of letters. Whatever is not ASCII counts as one here; whether it is, is looked up where it matters.
  std::size_t word(std::size_t begin) {
    std::size_t end = begin;
    bool ascii = true;
    while (end < text_.size()) {
      const Class c = class_of(text_[end]);
      if (c == kHigh) {
        end_blob(end);
        ascii = false;
      } else if (c != kLetter) {
        break;
      }
      ++end;
    }
    if (!ascii) return foreign_word(begin, end);
    const std::size_t size = end - begin;
    if (size == 2 && may_begin_iban(end)) marks_.countries.push_back(begin);
    const WordKind kind = size <= kKeywordMax ? kind_of(text_, begin, end) : WordKind{};
    if (kind.is_topic) {
      marks_.keywords.push_back({begin, end, kind.topic});
      if (kind.topic == Topic::kPhone)
        phone_ = true;
      else if (kind.topic != Topic::kPhoneAfter)
        phone_ = false;
    } else if (phone_ && !kind.is_filler) {
      phone_ = false;
    }
    return end;
  }

  /// Punctuation that is not ASCII does not hide a keyword next to it.
  std::size_t foreign_word(std::size_t begin, std::size_t end) {
    std::size_t at = begin;
    while (at < end) {
      const std::size_t start = at;
      while (at < end && class_of(text_[at]) == kLetter) ++at;
      if (at > start) {
        if (at - start <= kKeywordMax && !word_before(text_, start) && !word_behind(text_, at)) {
          const WordKind kind = kind_of(text_, start, at);
          if (kind.is_topic) marks_.keywords.push_back({start, at, kind.topic});
          phone_ = (kind.is_topic && kind.topic == Topic::kPhone) || (phone_ && kind.is_filler);
        } else {
          phone_ = false;
        }
      }
      while (at < end && class_of(text_[at]) == kHigh) ++at;
    }
    return end;
  }

  bool may_begin_iban(std::size_t at) const {
    if (at < text_.size() && text_[at] == ' ') ++at;
    return at + 1 < text_.size() && is_digit(text_[at]) && is_digit(text_[at + 1]);
  }

  std::size_t number(std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < text_.size() && class_of(text_[end]) == kDigit) ++end;
    add_group(begin, end);
    return end;
  }

  void add_group(std::size_t begin, std::size_t end) {
    marks_.groups.push_back({begin, end, digits_, {luhn_[0], luhn_[1]}, phone_});
    for (std::size_t at = begin; at < end; ++at, ++digits_) {
      const auto digit = static_cast<std::uint32_t>(text_[at] - '0');
      const std::uint32_t doubled = digit < 5 ? 2 * digit : 2 * digit - 9;
      luhn_[digits_ % 2] += doubled;
      luhn_[1 - digits_ % 2] += digit;
    }
  }

  void colon(std::size_t at) {
    if (at + 1 < text_.size() && (text_[at + 1] == ':' || is_hex(text_[at + 1]))) marks_.colons.push_back(at);
  }

  std::string_view text_;
  Marks marks_;
  std::size_t blob_begin_ = 0;
  std::size_t digits_ = 0;
  std::uint32_t luhn_[2] = {0, 0};
  bool phone_ = false;
};

}  // namespace

Marks read_marks(std::string_view text) { return Lexer(text).read(); }

bool word_before(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  std::size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  std::uint32_t point = 0;
  return decode_utf8(text.substr(begin), point) != 0 && is_word_point(point);
}

bool word_behind(std::string_view text, std::size_t at) {
  std::uint32_t point = 0;
  return at < text.size() && decode_utf8(text.substr(at), point) != 0 && is_word_point(point);
}

bool stands_at(std::string_view text, std::size_t at, std::string_view word) {
  if (at > text.size() || text.size() - at < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (lower(text[at + i]) != word[i]) return false;
  return true;
}

}  // namespace hearth::privacy
