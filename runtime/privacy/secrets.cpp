// SECRET: what opens doors. Known shapes first, then values that a word announces, then tokens that look drawn at
// random.
#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

#include "runtime/privacy/finders.h"
#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

constexpr std::size_t kValueMax = 256;

struct Prefix {
  std::string_view text;
  std::size_t length;     ///< Of the whole key, at least.
  bool capitals = false;  ///< No small letters.
};

// The documented prefixes of the issuers' keys. With upper and lower case as they are.
constexpr Prefix kPrefixes[] = {{"AKIA", 20, true}, {"ASIA", 20, true}, {"AROA", 20, true}, {"AIDA", 20, true},
                                {"ABIA", 20, true}, {"ACCA", 20, true}, {"ghp_", 36},       {"gho_", 36},
                                {"ghu_", 36},       {"ghs_", 36},       {"ghr_", 36},       {"github_pat_", 30},
                                {"glpat-", 20},     {"xoxb-", 20},      {"xoxp-", 20},      {"xoxa-", 20},
                                {"xoxr-", 20},      {"xoxs-", 20},      {"xoxe-", 20},      {"xapp-", 20},
                                {"sk_live_", 20},   {"sk_test_", 20},   {"rk_live_", 20},   {"rk_test_", 20},
                                {"pk_live_", 20},   {"whsec_", 20},     {"sk-", 20},        {"AIza", 35},
                                {"npm_", 30},       {"hf_", 30},        {"dop_v1_", 40},    {"shpat_", 32},
                                {"shpss_", 32},     {"pypi-", 30},      {"dckr_pat_", 20},  {"AGE-SECRET-KEY-", 30},
                                {"lin_api_", 30},   {"sq0atp-", 22},    {"sq0csp-", 22},    {"EAACEdEose0cBA", 20},
                                {"GOCSPX-", 20}};

std::size_t blob_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blob(text[at])) ++at;
  return at;
}

/// Which prefixes have a character at a place: what does not begin with any is most text, and is seen at once.
using Prefixes = std::array<std::uint64_t, 128>;
constexpr Prefixes prefixes_with(std::size_t place) {
  static_assert(std::size(kPrefixes) <= 64);
  Prefixes found{};
  for (std::size_t i = 0; i < std::size(kPrefixes); ++i)
    found[static_cast<std::size_t>(kPrefixes[i].text[place])] |= std::uint64_t{1} << i;
  return found;
}
constexpr Prefixes kFirst = prefixes_with(0);
constexpr Prefixes kSecond = prefixes_with(1);
constexpr Prefixes kThird = prefixes_with(2);

/// What chance writes: many changes between capitals, small letters and digits, many different characters.
bool looks_random(std::string_view token) {
  enum Kind { kDigit, kSmall, kCapital, kOther };
  std::array<std::size_t, 4> count{};
  std::size_t changes = 0;
  std::array<std::uint64_t, 2> seen{};
  Kind previous = kOther;
  for (const char c : token) {  // Few branches: chance cannot be predicted.
    const Kind kind = is_digit(c) ? kDigit : !is_letter(c) ? kOther : c == lower(c) ? kSmall : kCapital;
    ++count[kind];
    seen[c >> 6 & 1] |= std::uint64_t{is_alnum(c)} << (c & 63);
    changes += kind != previous && kind != kOther;
    previous = kind == kOther ? previous : kind;
  }
  if (std::popcount(seen[0]) + std::popcount(seen[1]) < 10 || changes * 3 < token.size()) return false;
  if (count[kCapital] > 1 && count[kSmall] > 1 && count[kDigit] > 1) return true;
  const bool is_hex_number = token.size() >= 32 && std::all_of(token.begin(), token.end(), is_hex);
  return count[kDigit] > 5 && (is_hex_number || (token.size() >= 32 && count[kSmall] > 5));
}

class Secrets {
 public:
  Secrets(const Marks& marks, Spans& found) : marks_(marks), text_(marks.text), found_(found) {}

  void find() {
    std::size_t keyword = 0;
    std::size_t at_sign = 0;
    const auto words_until = [&](std::size_t end) {
      for (; keyword < marks_.keywords.size() && marks_.keywords[keyword].begin < end; ++keyword) {
        if (marks_.keywords[keyword].begin >= from_) word(marks_.keywords[keyword]);
      }
      for (; at_sign < marks_.ats.size() && marks_.ats[at_sign] < end; ++at_sign) login(marks_.ats[at_sign]);
    };
    for (std::size_t i = 0; i < marks_.blobs.size(); i += 2) {
      words_until(marks_.blobs[i]);
      if (marks_.blobs[i] >= from_) blob(marks_.blobs[i], marks_.blobs[i + 1]);
    }
    words_until(text_.size());
  }

 private:
  void add(std::size_t begin, std::size_t end) {
    begin = std::max(begin, from_);
    if (begin >= end) return;
    found_.push_back(span_of(begin, end, Detected::kSecret));
    from_ = end;
  }

  void word(const Keyword& keyword) {
    if (keyword.topic == Topic::kKeyBlock) key_block(keyword.begin);
    if (keyword.topic == Topic::kPassword) value(keyword.end);
    if (keyword.topic == Topic::kBearer && keyword.end < text_.size() && text_[keyword.end] == ' ') {
      const std::size_t end = blob_end(text_, keyword.end + 1);
      if (end > keyword.end + 16) add(keyword.end + 1, end);
    }
  }

  /// RFC 7468. Without an end it goes on to the end of the text.
  void key_block(std::size_t begin) {
    if (begin < 5 || text_.substr(begin - 5, 5) != "-----" || begin - 5 < from_) return;
    const std::string_view label = text_.substr(begin, 60).substr(0, text_.substr(begin, 60).find("-----"));
    if (label.find("PRIVATE KEY") == std::string_view::npos) return;
    const std::size_t close = text_.find("-----END", begin);
    std::size_t end = text_.size();
    if (close != std::string_view::npos) {
      const std::size_t dashes = text_.find("-----", close + 8);
      if (dashes != std::string_view::npos && dashes - close < 60) end = dashes + 5;
    }
    add(begin - 5, end);
  }

  std::size_t skip_spaces(std::size_t at) const {
    for (int i = 0; i < 3 && at < text_.size() && (text_[at] == ' ' || text_[at] == '\t'); ++i) ++at;
    return at;
  }

  std::size_t skip_quote(std::size_t at) const {
    return at < text_.size() && (text_[at] == '"' || text_[at] == '\'' || text_[at] == '`') ? at + 1 : at;
  }

  /// What follows "password": `=` and anything; `:` or "is" and something that is no plain word.
  void value(std::size_t at) {
    std::size_t mark = skip_spaces(skip_quote(at));
    bool assigned = false;
    bool said = false;
    if (stands_at(text_, mark, "is ") || stands_at(text_, mark, "was ") || stands_at(text_, mark, "is: ")) {
      said = true;
      mark = text_.find(' ', mark);
    } else {
      const std::size_t marks = mark;
      while (mark < text_.size() && mark - marks < 3 &&
             (text_[mark] == ':' || text_[mark] == '=' || text_[mark] == '>')) {
        assigned |= text_[mark++] == '=';
      }
      if (mark == marks) return;
    }
    const std::size_t open = skip_spaces(mark);
    const std::size_t begin = skip_quote(open);
    const bool quoted = begin > open;
    if (begin < text_.size() && is_placeholder(text_[begin])) return;
    std::size_t end = begin;
    while (end < text_.size() && end - begin < kValueMax && !is_space(text_[end]) && text_[end] != '"' &&
           !(quoted && text_[end] == text_[open]))
      ++end;
    while (end > begin && end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xc0) == 0x80) --end;
    while (!quoted && end > begin && std::string_view(".,;)!?]}").find(text_[end - 1]) != std::string_view::npos) --end;
    if (is_secret(text_.substr(begin, end - begin), assigned || quoted, said, begin == mark)) add(begin, end);
  }

  static bool is_placeholder(char first) { return std::string_view("<${*[").find(first) != std::string_view::npos; }

  static bool is_secret(std::string_view value, bool assigned, bool said, bool close) {
    if (value.size() < 4) return false;
    const bool digit = std::any_of(value.begin(), value.end(), is_digit);
    if (assigned) return true;
    if (said) return value.size() >= 6 && digit;
    const bool mixed =
        std::any_of(value.begin() + 1, value.end(), [](char c) { return !is_letter(c) || c != lower(c); });
    return value.size() >= 6 && (digit || mixed || close);
  }

  /// user:word@host behind a scheme.
  void login(std::size_t at) {
    if (at < from_) return;
    std::size_t begin = at;
    std::size_t colon = 0;
    while (begin > from_ && at - begin < 100 && !is_space(text_[begin - 1]) && text_[begin - 1] != '@') {
      --begin;
      if (text_[begin] != ':') continue;
      if (text_.substr(begin, 3) == "://") {
        if (colon > begin + 3 && at > colon + 1) add(colon + 1, at);
        return;
      }
      colon = begin;
    }
  }

  void blob(std::size_t begin, std::size_t end) {
    if (stands_at(text_, begin, "eyj") && web_token(begin, end)) return;
    for (std::size_t at = begin; at < end; ++at) {  // NAME=key and path/key, too.
      const bool starts = at == begin || !is_alnum(text_[at - 1]);
      if (!starts || !known(at, end)) continue;
      return add(at, end);
    }
    if (const std::size_t hook = text_.substr(begin, end - begin).find("services/T");
        hook != std::string_view::npos && end - begin > hook + 36)
      return add(begin + hook + 9, end);
    const std::string_view token = text_.substr(begin, end - begin);
    const std::size_t equals = token.find_first_of("=");
    const bool named = equals != std::string_view::npos && equals + kBlobMin <= token.size();
    const std::size_t start = named ? equals + 1 : 0;
    if (looks_random(token.substr(start))) add(begin + start, end);
  }

  bool known(std::size_t at, std::size_t end) const {
    if (end - at < kBlobMin) return false;
    const auto index = [&](std::size_t i) { return static_cast<std::size_t>(text_[at + i]); };
    for (auto some = kFirst[index(0)] & kSecond[index(1)] & kThird[index(2)]; some != 0; some &= some - 1) {
      const Prefix& prefix = kPrefixes[std::countr_zero(some)];
      if (end - at < prefix.length || text_.substr(at, prefix.text.size()) != prefix.text) continue;
      const std::string_view rest = text_.substr(at + prefix.text.size(), 16);
      if (!prefix.capitals ||
          std::none_of(rest.begin(), rest.end(), [](char c) { return is_letter(c) && c == lower(c); }))
        return true;
    }
    return false;
  }

  /// RFC 7519: three parts of base64url with dots between; the first begins as {" does.
  bool web_token(std::size_t begin, std::size_t end) {
    std::size_t parts = 1;
    for (; parts < 5 && end + 8 < text_.size() && text_[end] == '.'; ++parts) {
      const std::size_t next = blob_end(text_, end + 1);
      if (next == end + 1) break;
      end = next;
    }
    if (parts < 2) return false;
    add(begin, end);
    return true;
  }

  const Marks& marks_;
  std::string_view text_;
  Spans& found_;
  std::size_t from_ = 0;  ///< Where the last secret ended.
};

}  // namespace

void find_secrets(const Marks& marks, Spans& found) { Secrets(marks, found).find(); }

}  // namespace hearth::privacy
