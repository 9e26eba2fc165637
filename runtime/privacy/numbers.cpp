// CREDIT_CARD, SSN, NPI, MRN, DATE_OF_BIRTH and IPv4: numbers that have a shape, a check digit or a keyword.
#include <array>

#include "runtime/privacy/dates.h"
#include "runtime/privacy/finders.h"

namespace hearth::privacy {
namespace {

using policies::Detected;
using namespace std::string_view_literals;

constexpr std::size_t kNear = 48;  ///< Bytes between a keyword and its number.
constexpr std::size_t kNearBirth = 64;
constexpr std::size_t kNearNext = 6;     ///< Between a number and the next of the same keyword: ", ", " and ".
constexpr std::size_t kNearBehind = 14;  ///< Between a number and a keyword behind it: "123-45-6789 is my SSN".
constexpr std::size_t kNever = static_cast<std::size_t>(-1);

class Numbers {
 public:
  Numbers(Marks& marks, Spans& found) : marks_(marks), text_(marks.text), groups_(marks.groups), found_(found) {}

  void find() {
    if (groups_.empty()) return;
    count_ = groups_.size() - 1;
    for (const Keyword& word : marks_.keywords) topics_ |= 1u << static_cast<unsigned>(word.topic);
    for (std::size_t i = 0; i < count_; ++i) {
      pass_keywords(groups_[i].begin);
      if (groups_[i].taken) continue;
      std::size_t next = date(i);
      if (next == 0) next = ip(i);
      if (next == 0) next = card(i);
      if (next == 0) next = record_number(i);
      if (next == 0) next = social_security(i);
      if (next == 0) next = provider(i);
      for (std::size_t k = i; k < next; ++k) groups_[k].taken = true;
    }
  }

 private:
  // ---- What stands around ----
  struct Seen {
    std::size_t end = kNever;
    std::size_t reach = 0;
  };

  void pass_keywords(std::size_t begin) {
    for (; keyword_ < marks_.keywords.size() && marks_.keywords[keyword_].begin < begin; ++keyword_) {
      const Keyword& word = marks_.keywords[keyword_];
      seen_[static_cast<std::size_t>(word.topic)] = {word.end, word.topic == Topic::kBirth ? kNearBirth : kNear};
    }
  }

  bool occurs(Topic topic) const { return (topics_ >> static_cast<unsigned>(topic) & 1u) != 0; }

  Seen& seen(Topic topic) { return seen_[static_cast<std::size_t>(topic)]; }

  bool before(Topic topic, std::size_t begin) {
    const Seen& last = seen(topic);
    return last.end != kNever && begin >= last.end && begin - last.end <= last.reach;
  }

  bool behind(Topic topic, std::size_t end, std::size_t reach = kNearBehind) const {
    if (!occurs(topic)) return false;
    for (std::size_t k = keyword_; k < marks_.keywords.size() && k < keyword_ + 4; ++k) {
      const Keyword& word = marks_.keywords[k];
      if (word.begin < end) continue;
      if (word.begin - end > reach) break;
      if (word.topic == topic) return true;
    }
    return false;
  }

  /// Whether `topic` has no nearer rival among the keywords before a number that begins at `begin`.
  bool is_nearest(Topic topic, std::size_t begin) {
    for (const Topic rival : {Topic::kSsn, Topic::kMrn, Topic::kNpi, Topic::kPhone}) {
      if (topic == Topic::kMrn && rival == Topic::kPhone && seen(rival).end == begin) continue;  // MRN PH12345
      if (rival != topic && seen(rival).end != kNever && seen(rival).end > seen(topic).end) return false;
    }
    return true;
  }

  std::size_t add(std::size_t begin, std::size_t end, Detected type, std::size_t next) {
    found_.push_back(span_of(begin, end, type));
    return next;
  }

  std::size_t gap(std::size_t i) const { return groups_[i + 1].begin - groups_[i].end; }  ///< Before group i + 1.
  char before_char(std::size_t i) const { return groups_[i].begin == 0 ? ' ' : text_[groups_[i].begin - 1]; }
  char behind_char(std::size_t i) const { return groups_[i].end == text_.size() ? ' ' : text_[groups_[i].end]; }
  bool linked(std::size_t i, unsigned marks) const {  ///< One of `marks` (Between), alone, before group i + 1.
    return groups_[i].only_between(marks) && gap(i) == 1;
  }
  bool stands_alone(std::size_t i, std::size_t last) const {
    return !word_before(text_, groups_[i].begin) && !word_behind(text_, groups_[last].end);
  }

  // ---- The types. Each returns the group behind what it found at group i, or 0. ----
  std::size_t date(std::size_t i) {
    const bool birth = before(Topic::kBirth, groups_[i].begin);
    const bool announced = birth || behind(Topic::kBirth, groups_[i].end, 40);
    if (!announced && !may_be_date(marks_, i)) return 0;
    const Date found = date_at(marks_, i, announced);
    if (found.end == 0) return 0;
    if (birth || behind(Topic::kBirth, found.end)) {
      seen(Topic::kBirth) = {found.end, kNearNext};
      return add(found.begin, found.end, Detected::kDateOfBirth, found.next);
    }
    return found.sure ? found.next : 0;
  }

  std::size_t ip(std::size_t i) {
    if (i + 3 >= count_) return 0;
    for (std::size_t k = i; k < i + 4; ++k) {
      const std::string_view digits = text_.substr(groups_[k].begin, groups_[k].size());
      if (digits.size() > 3 || (digits.size() == 3 && digits > "255") || (digits.size() > 1 && digits[0] == '0'))
        return 0;
      if (k < i + 3 && !linked(k, kDotBetween)) return 0;
    }
    const std::size_t begin = groups_[i].begin;
    if (!stands_alone(i, i + 3) || linked(i + 3, kDotBetween) || before_char(i) == '.') return 0;
    for (const std::string_view word : {"version "sv, "release "sv, "build "sv, "firmware "sv, "ver. "sv})
      if (begin >= word.size() && stands_at(text_, begin - word.size(), word)) return 0;
    return add(begin, groups_[i + 3].end, Detected::kIp, i + 4);
  }

  bool card_gap(std::size_t i) const {
    return groups_[i].only_between(kSpaceBetween | kTabBetween | kLineEndBetween | kDotBetween | kDashBetween |
                                   kUnderscoreBetween);
  }

  /// How many digits the card networks' numbers have that begin so, a bit for each; a 13-digit article number would
  /// often pass Luhn alone.
  static unsigned card_lengths(char first, char second) {
    constexpr unsigned kLong = 1u << 17 | 1u << 18 | 1u << 19;
    if (first == '4') return 1u << 13 | 1u << 16 | kLong;
    if (first == '5' || first == '6') return 1u << 16 | kLong;
    if (first == '2') return 1u << 16;
    if (first != '3') return 0;
    const bool fourteen = second == '0' || second == '6' || second == '8' || second == '9';
    const bool fifteen = second == '4' || second == '7';
    return 1u << 16 | (fourteen ? 1u << 14 : 0) | (fifteen ? 1u << 15 : 0);
  }

  /// ISO/IEC 7812-1 over the groups [first, last]: from the right every second digit is doubled.
  bool passes_luhn(std::size_t first, std::size_t last, std::uint32_t prefix = 0) const {
    const Group& end = groups_[last + 1];
    const std::size_t parity = end.digits_before % 2;
    return (prefix + 10u + end.luhn_before[parity] - groups_[first].luhn_before[parity]) % 10 == 0;
  }

  char second_digit(std::size_t i) const {
    const Group& group = groups_[i];
    return group.size() > 1 ? text_[group.begin + 1] : i + 1 < count_ ? text_[groups_[i + 1].begin] : ' ';
  }

  /// Groups that may be one card's number: from wherever it was asked for last to `last`.
  struct Chain {
    std::size_t last = 0;
    std::size_t last_short = kNever;  ///< The last group of fewer than three digits,
    std::size_t last_dot = kNever;    ///< and the last one right behind a dot.
  };

  void extend(Chain& chain, std::size_t last) const {
    chain.last = last;
    if (groups_[last].size() < 3) chain.last_short = last;
    if (before_char(last) == '.') chain.last_dot = last;
  }

  std::size_t digits(std::size_t first, std::size_t last) const {
    return groups_[last + 1].digits_before - groups_[first].digits_before;
  }

  bool goes_on(const Chain& chain) const { return card_gap(chain.last) && !groups_[chain.last + 1].taken; }

  std::size_t card(std::size_t i) {
    const unsigned lengths = card_lengths(text_[groups_[i].begin], second_digit(i));
    if (lengths == 0) return 0;
    // Where 13 digits are reached moves on with i: each group is passed once, however short they are.
    if (chain_.last < i || i == 0) extend(chain_, i);
    while (digits(i, chain_.last) < 13) {
      if (!goes_on(chain_)) return 0;
      extend(chain_, chain_.last + 1);
    }
    for (Chain chain = chain_;; extend(chain, chain.last + 1)) {
      const std::size_t count = digits(i, chain.last);
      if (count > 19 || lengths >> count == 0) return 0;
      // Fractions, prices and dates: with dots, groups as short as these are no card's.
      const bool dots = chain.last_dot != kNever && chain.last_dot > i;
      const bool is_short = chain.last_short != kNever && chain.last_short >= i;
      if ((lengths >> count & 1u) != 0 && !(dots && is_short) && passes_luhn(i, chain.last))
        return add(groups_[i].begin, groups_[chain.last].end, Detected::kCreditCard, chain.last + 1);
      if (!goes_on(chain)) return 0;
    }
  }

  /// Five to twelve letters and digits, dashes between allowed, or groups of up to four digits with spaces between.
  std::size_t record_number(std::size_t i) {
    const Group& group = groups_[i];
    const bool announced = before(Topic::kMrn, group.begin) && is_nearest(Topic::kMrn, group.begin);
    if (!announced && !behind(Topic::kMrn, group.end, kNearBehind)) return 0;
    const std::size_t floor = announced ? seen(Topic::kMrn).end : i == 0 ? 0 : groups_[i - 1].end;
    const auto inner = [&](std::size_t at) {  // A dash between two letters or digits.
      return text_[at] == '-' && at > floor && at + 1 < text_.size() && is_alnum(text_[at - 1]) &&
             is_alnum(text_[at + 1]);
    };
    std::size_t begin = group.begin;
    while (begin > floor && group.begin - begin < 14 && (is_alnum(text_[begin - 1]) || inner(begin - 1))) --begin;
    std::size_t end = group.end;
    while (end < text_.size() && end - begin < 20 && (is_alnum(text_[end]) || inner(end))) ++end;
    std::size_t last = i;
    while (last + 1 < count_ && groups_[last + 1].begin < end) ++last;
    std::size_t count = 0;
    std::size_t digits = 0;
    for (std::size_t at = begin; at < end; ++at) count += is_alnum(text_[at]), digits += is_digit(text_[at]);
    while (end == groups_[last].end && groups_[last].size() <= 4 && linked(last, kSpaceBetween) &&
           groups_[last + 1].size() <= 4 && groups_[last + 1].size() >= 2 && count + groups_[last + 1].size() <= 12 &&
           !word_behind(text_, groups_[last + 1].end)) {
      ++last;
      count += groups_[last].size();
      digits += groups_[last].size();
      end = groups_[last].end;
    }
    if (count < 5 || count > 12 || digits < 2 || word_before(text_, begin) || word_behind(text_, end)) {
      if (!(announced && begin == seen(Topic::kMrn).end && count >= 5 && count <= 12 && digits >= 2)) return 0;
    }
    if (!announced && !behind(Topic::kMrn, end, kNearNext)) return 0;
    seen(Topic::kMrn) = {end, kNearNext};
    return add(begin, end, Detected::kMrn, last + 1);
  }

  /// Area, group and serial number that the Social Security Administration may have given out, in nine digits.
  bool is_ssn(std::size_t i, std::size_t last) const {
    std::array<char, 9> all{};
    std::size_t count = 0;
    for (; i <= last; ++i)
      for (std::size_t at = groups_[i].begin; at < groups_[i].end; ++at) all[count++] = text_[at];
    const std::string_view digits(all.data(), all.size());
    return digits[0] != '9' && digits.substr(0, 3) != "000" && digits.substr(0, 3) != "666" &&
           digits.substr(3, 2) != "00" && digits.substr(5) != "0000";
  }

  std::size_t social_security(std::size_t i) {
    // With dashes it speaks for itself; with spaces, dots or without gaps a keyword must.
    const auto has = [&](std::size_t k, std::size_t size) { return k < count_ && groups_[k].size() == size; };
    if (!occurs(Topic::kSsn) && !(has(i, 3) && has(i + 1, 2) && has(i + 2, 4))) return 0;
    constexpr unsigned kGap = kSpaceBetween | kDashBetween | kDotBetween | kSlashBetween | kUnderscoreBetween;
    std::size_t last = i;
    bool shaped = true;
    bool dashes = true;
    for (;; ++last) {
      const std::size_t count = groups_[last + 1].digits_before - groups_[i].digits_before;
      if (count > 9 || groups_[last].taken) return 0;
      shaped = shaped && (count == 3 || count == 5 || count == 9);
      if (count == 9) break;
      const unsigned marks = groups_[last].between;
      if ((marks & ~kGap) != 0) return 0;
      dashes =
          dashes && (marks & (kDotBetween | kSlashBetween)) == 0 && ((marks & kSpaceBetween) == 0 || gap(last) == 3);
    }
    const bool keyword = (before(Topic::kSsn, groups_[i].begin) && is_nearest(Topic::kSsn, groups_[i].begin)) ||
                         behind(Topic::kSsn, groups_[last].end);
    const bool plain = shaped && last == i + 2 &&
                       (dashes || (!groups_[i].phone_before && gap(i) == gap(i + 1) && text_[groups_[i].end] == ' ' &&
                                   text_[groups_[i + 1].end] == ' '));
    if ((!keyword && !plain) || !is_ssn(i, last)) return 0;
    if (!stands_alone(i, last) && (!before(Topic::kSsn, groups_[i].end) || seen(Topic::kSsn).end != groups_[i].begin))
      return 0;
    if (linked(last, kDashBetween) || (i > 0 && linked(i - 1, kDashBetween))) return 0;
    return add(groups_[i].begin, groups_[last].end, Detected::kSsn, last + 1);
  }

  /// Ten digits behind a keyword; without one, Luhn's check with the prefix 80840 (45 CFR 162.406), which adds 24.
  std::size_t provider(std::size_t i) {
    const std::size_t first = i;
    std::size_t last = i;
    std::size_t digits = groups_[i].size();
    while (digits < 10 && linked(last, kDashBetween | kSpaceBetween | kDotBetween) && !groups_[last + 1].taken)
      digits += groups_[++last].size();
    if (digits != 10) return 0;
    const bool keyword = (before(Topic::kNpi, groups_[i].begin) && is_nearest(Topic::kNpi, groups_[i].begin)) ||
                         behind(Topic::kNpi, groups_[last].end);
    if (!keyword) {
      const char c = text_[groups_[i].begin];
      if (last != i || groups_[i].phone_before || !stands_alone(i, i) || !passes_luhn(first, last, 24)) return 0;
      // What begins with 2 is rather a phone number, if it can be one.
      if ((c != '1' && c != '2') || (c == '2' && text_[groups_[i].begin + 3] >= '2')) return 0;
      if (CharSet("/=#&.,").has(before_char(i))) return 0;
    }
    return add(groups_[i].begin, groups_[last].end, Detected::kNpi, last + 1);
  }

  Marks& marks_;
  std::string_view text_;
  std::pmr::vector<Group>& groups_;
  Spans& found_;
  std::size_t count_ = 0;  ///< Groups, without the one that only holds sums.
  std::size_t keyword_ = 0;
  unsigned topics_ = 0;  ///< Those of all keywords, a bit for each.
  Chain chain_;
  std::array<Seen, static_cast<std::size_t>(Topic::kCount)> seen_{};
};

}  // namespace

void find_numbers(Marks& marks, Spans& found) { Numbers(marks, found).find(); }

}  // namespace hearth::privacy
