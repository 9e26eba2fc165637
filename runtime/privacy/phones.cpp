// PHONE: numbers that look like one, and any longer number that a phone word announces or explains.
#include <algorithm>

#include "runtime/privacy/finders.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

class Phones {
 public:
  Phones(Marks& marks, Spans& found) : marks_(marks), text_(marks.text), groups_(marks.groups), found_(found) {}

  void find() {
    if (groups_.empty()) return;
    count_ = groups_.size() - 1;
    for (std::size_t i = 0; i < count_; ++i) {
      if (groups_[i].taken) continue;
      begin_ = groups_[i].begin;
      std::size_t last = shaped(i);
      if (last == kNone) last = announced(i);
      if (last == kNone) last = explained(i);
      if (last != kNone) add(i, last);
    }
  }

 private:
  char digit(std::size_t i, std::size_t at) const {
    return at < groups_[i].size() ? text_[groups_[i].begin + at] : ' ';
  }
  char char_before(std::size_t at) const { return at == 0 ? ' ' : text_[at - 1]; }
  std::size_t digits(std::size_t first, std::size_t last) const {
    return groups_[last + 1].digits_before - groups_[first].digits_before;
  }

  /// Whether group i + 1 can go on with the number of group i.
  bool linked(std::size_t i) const {
    return groups_[i].only_between(kSpaceBetween | kTabBetween | kDotBetween | kDashBetween | kSlashBetween |
                                   kParenthesisBetween) &&
           !groups_[i + 1].taken;
  }

  /// The last group of the longest run from group i with at most `most` digits; kNone when it has fewer than `least`.
  std::size_t run(std::size_t i, std::size_t least, std::size_t most) const {
    if (groups_[i].size() > most) return kNone;
    std::size_t last = i;
    while (linked(last) && digits(i, last + 1) <= most) ++last;
    return digits(i, last) >= least ? last : kNone;
  }

  bool is_north_american(std::size_t i) const {
    return i + 2 < count_ && groups_[i].size() == 3 && groups_[i + 1].size() == 3 && groups_[i + 2].size() == 4 &&
           linked(i) && linked(i + 1);
  }

  /// 12 digits without a gap are an article number (UPC), except behind Germany's mobile prefixes.
  bool is_article(std::size_t i, std::size_t last) const {
    return last == i && groups_[i].size() == 12 && !(digit(i, 1) == '1' && digit(i, 2) >= '5' && digit(i, 2) <= '7');
  }

  bool is_year(std::size_t i) const {
    return groups_[i].size() == 4 &&
           ((digit(i, 0) == '1' && digit(i, 1) == '9') || (digit(i, 0) == '2' && digit(i, 1) == '0'));
  }

  /// Numbers that need no word: the last group, or kNone. Those that announce themselves stand anywhere; the others not
  /// right behind a letter, as article numbers do, nor behind a decimal point.
  std::size_t shaped(std::size_t i) {
    const Group& group = groups_[i];
    const char previous = char_before(group.begin);
    if (previous == '+' && digit(i, 0) != '0') {
      if (const std::size_t last = run(i, 8, 15); last != kNone) return begin_ = group.begin - 1, last;
    }
    const bool parentheses = previous == '(' && group.end < text_.size() && text_[group.end] == ')';
    if (parentheses) {
      const std::size_t last = in_parentheses(i);
      if (last != kNone) return begin_ = group.begin - 1, last;
    }
    if (word_before(text_, group.begin)) return kNone;
    if ((previous == '.' || previous == ',') && group.begin > 1 && is_digit(text_[group.begin - 2]) &&
        !(i > 0 && groups_[i - 1].taken))
      return kNone;
    if (is_north_american(i)) return i + 2;
    if (group.size() == 1 && digit(i, 0) == '1' && linked(i) && is_north_american(i + 1)) return i + 3;
    if (digit(i, 0) == '0') return with_zero(i);
    const bool ten = group.size() == 10 && digit(i, 0) >= '2' && digit(i, 3) >= '2';
    return ten && std::string_view("/=#&").find(previous) == std::string_view::npos ? i : kNone;
  }

  std::size_t in_parentheses(std::size_t i) const {
    if (is_north_american(i)) return i + 2;
    if (groups_[i].size() < 2 || groups_[i].size() > 5 || is_year(i)) return kNone;
    const std::size_t last = run(i, 7, 13);
    return last != kNone && digits(i, last) >= groups_[i].size() + 5 ? last : kNone;
  }

  /// 00 and 011 and a country, or an area code: 030 1234567, 0171/123 45 67.
  std::size_t with_zero(std::size_t i) const {
    if (digit(i, 1) == '0') return digit(i, 2) != '0' ? run(i, 10, 17) : kNone;
    if (groups_[i].size() == 3 && digit(i, 1) == '1' && digit(i, 2) == '1') {
      if (const std::size_t last = run(i, 13, 18); last != kNone) return last;
    }
    if (groups_[i].size() == 1) return kNone;
    const std::size_t last = run(i, 9, 12);
    return last != kNone && !is_article(i, last) ? last : kNone;
  }

  /// Seven digits, or six in groups: 33 93 31. Not 12/05/24.
  std::size_t any(std::size_t i) const {
    const std::size_t last = run(i, 6, 15);
    if (last == kNone || (last == i && groups_[i].size() < 7)) return kNone;
    if (digits(i, last) < 7 && text_[groups_[i].end] == '/') return kNone;
    const char previous = char_before(groups_[i].begin);
    return previous == '$' || is_article(i, last) ? kNone : last;
  }

  std::size_t announced(std::size_t i) const { return groups_[i].phone_before ? any(i) : kNone; }

  /// "33 93 31 office", "5550134 (mobile)"
  std::size_t explained(std::size_t i) {
    while (keyword_ < marks_.keywords.size() && marks_.keywords[keyword_].begin < groups_[i].end) ++keyword_;
    std::size_t k = keyword_;
    if (k == marks_.keywords.size() || marks_.keywords[k].begin - groups_[i].end > 40) return kNone;
    if (word_before(text_, groups_[i].begin)) return kNone;
    const std::size_t last = any(i);
    if (last == kNone) return kNone;
    const std::size_t end = groups_[last].end;
    while (k < marks_.keywords.size() && marks_.keywords[k].begin < end) ++k;
    if (k == marks_.keywords.size() || marks_.keywords[k].begin - end > 2) return kNone;
    for (std::size_t at = end; at < marks_.keywords[k].begin; ++at)
      if (std::string_view(" -(:,").find(text_[at]) == std::string_view::npos) return kNone;
    return explains(marks_.keywords[k]) ? last : kNone;
  }

  bool explains(const Keyword& word) const {
    if (word.topic == Topic::kPhoneAfter) return true;
    if (word.topic != Topic::kPhone) return false;
    const auto names = {"fax", "mobil", "cell", "phone", "tel", "landline", "pager"};
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return stands_at(text_, word.begin, name); });
  }

  void add(std::size_t i, std::size_t last) {
    std::size_t end = groups_[last].end;
    if (const std::size_t next = extension(last); next != kNone) {
      last = next;
      end = groups_[last].end;
    }
    for (std::size_t k = i; k <= last; ++k) groups_[k].taken = true;
    // Numbers that stand together: the rest of them is one too.
    if (linked(last)) groups_[last + 1].phone_before = true;
    found_.push_back(span_of(begin_, end, Detected::kPhone));
  }

  /// The group of "x123", "ext. 123" behind a number.
  std::size_t extension(std::size_t last) const {
    const std::size_t next = last + 1;
    if (next >= count_ || groups_[next].taken || groups_[next].size() > 6) return kNone;
    const auto skip = [&](std::size_t at, std::string_view marks) {
      for (int i = 0; i < 2 && at < text_.size() && marks.find(text_[at]) != std::string_view::npos; ++i) ++at;
      return at;
    };
    const std::size_t at = skip(groups_[last].end, " ,");
    for (const std::string_view word : {"extension", "extn", "ext", "x", "#"}) {
      if (stands_at(text_, at, word) && skip(at + word.size(), ". :") == groups_[next].begin) return next;
    }
    return kNone;
  }

  Marks& marks_;
  std::string_view text_;
  std::pmr::vector<Group>& groups_;
  Spans& found_;
  std::size_t count_ = 0;
  std::size_t keyword_ = 0;
  std::size_t begin_ = 0;  ///< Of the number at hand.
};

}  // namespace

void find_phones(Marks& marks, Spans& found) { Phones(marks, found).find(); }

}  // namespace hearth::privacy
