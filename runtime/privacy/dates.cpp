#include "runtime/privacy/dates.h"

#include <algorithm>
#include <cstdint>

namespace hearth::privacy {
namespace {

using namespace std::string_view_literals;

// Three letters tell the months of English, German, French and Spanish apart well enough.
constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
                                        "oct", "nov", "dec", "mai", "mär", "okt", "dez", "ene", "abr",
                                        "ago", "dic", "fév", "avr", "jui", "aoû", "déc", "mrz"};

constexpr std::uint32_t kMonthLetters = [] {  // They begin with few letters.
  std::uint32_t letters = 0;
  for (const std::string_view month : kMonths) letters |= 1u << (month[0] - 'a');
  return letters;
}();

bool is_month(std::string_view word) {
  if (word.size() < 3 || word.size() > 12 || !is_letter(word[0])) return false;
  if ((kMonthLetters >> ((word[0] | 0x20) - 'a') & 1u) == 0) return false;
  return std::any_of(std::begin(kMonths), std::end(kMonths),
                     [&](std::string_view month) { return stands_at(word, 0, month); });
}

/// Where the month that begins at `at` ends; 0 for none.
std::size_t month_end(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && end - at <= 12 && (is_letter(text[end]) || !is_ascii(text[end]))) ++end;
  return end > at && is_month(text.substr(at, end - at)) ? end : 0;
}

constexpr CharSet kBeforeMonth(" .-/");
constexpr CharSet kBehindDay(" .-/,");
constexpr CharSet kBeforeYear(" ,.-/'");
constexpr CharSet kOf("of ");

std::size_t skip(std::string_view text, std::size_t at, const CharSet& marks, int most) {
  for (; most > 0 && at < text.size() && marks.has(text[at]); --most) ++at;
  return at;
}

unsigned value_of(const Marks& marks, std::size_t i) {
  unsigned value = 0;
  for (std::size_t at = marks.groups[i].begin; at < marks.groups[i].end; ++at)
    value = value * 10 + static_cast<unsigned>(marks.text[at] - '0');
  return value;
}

bool is_year(unsigned value) { return value >= 1850 && value < 2100; }
bool is_day(unsigned value) { return value >= 1 && value <= 31; }
bool are_day_and_month(unsigned a, unsigned b) { return is_day(a) && is_day(b) && (a <= 12 || b <= 12); }

bool date_gap(const Marks& marks, std::size_t i, bool spaces) {
  const Group& group = marks.groups[i];
  if (spaces) return group.only_between(kDotBetween | kDashBetween | kSlashBetween | kSpaceBetween);
  return group.only_between(kDotBetween | kDashBetween | kSlashBetween) && marks.groups[i + 1].begin == group.end + 1;
}

Date numeric(const Marks& marks, std::size_t i, bool announced) {
  const auto& groups = marks.groups;
  if (i + 3 >= groups.size() || groups[i].size() > 4 || groups[i + 1].size() > 2 || groups[i + 2].size() > 4) return {};
  if (!date_gap(marks, i, announced) || !date_gap(marks, i + 1, announced)) return {};
  if (!announced && i > 0 && !groups[i - 1].taken && date_gap(marks, i - 1, false)) return {};
  const unsigned a = value_of(marks, i);
  const unsigned b = value_of(marks, i + 1);
  const unsigned c = value_of(marks, i + 2);
  const std::size_t last = groups[i + 2].size();
  const Date date = {groups[i].begin, groups[i + 2].end, i + 3, true};
  if (groups[i].size() == 4) return is_year(a) && last <= 2 && are_day_and_month(b, c) ? date : Date{};
  if (groups[i].size() > 2 || !are_day_and_month(a, b)) return {};
  if (last == 4) return is_year(c) ? date : Date{};
  return announced && last == 2 ? date : Date{};
}

/// 19850304, 03041985
Date in_one_piece(const Marks& marks, std::size_t i) {
  const Group& group = marks.groups[i];
  if (group.size() != 8) return {};
  const unsigned value = value_of(marks, i);
  const bool year_first = is_year(value / 10'000) && are_day_and_month(value / 100 % 100, value % 100);
  const bool year_last = is_year(value % 10'000) && are_day_and_month(value / 1'000'000, value / 10'000 % 100);
  return year_first || year_last ? Date{group.begin, group.end, i + 1, false} : Date{};
}

/// A year, if one follows position `end` of a date whose last group was i.
Date with_year(const Marks& marks, std::size_t i, std::size_t begin, std::size_t end) {
  const auto& groups = marks.groups;
  const std::size_t at = skip(marks.text, skip(marks.text, end, kBeforeYear, 3), kOf, 3);
  if (i + 2 < groups.size() && groups[i + 1].begin == at) {
    const std::size_t size = groups[i + 1].size();
    if ((size == 4 && is_year(value_of(marks, i + 1))) || size == 2) return {begin, groups[i + 1].end, i + 2, false};
  }
  return {begin, end, i + 1, false};
}

/// March 3, 1985 · 3rd of March 1985 · 03-MAR-85 · 3 March
Date in_words(const Marks& marks, std::size_t i) {
  const Group& group = marks.groups[i];
  const std::string_view text = marks.text;
  if (group.size() > 2 || !is_day(value_of(marks, i))) return {};
  std::size_t end = group.end;
  for (const std::string_view suffix : {"st"sv, "nd"sv, "rd"sv, "th"sv})
    if (stands_at(text, end, suffix)) end += 2;
  std::size_t month = skip(text, end, kBehindDay, 2);
  for (const std::string_view word : {"of "sv, "de "sv})
    if (stands_at(text, month, word)) month += word.size();
  if (const std::size_t behind = month_end(text, month)) return with_year(marks, i, group.begin, behind);
  std::size_t back = group.begin;
  while (back > 0 && group.begin - back < 2 && kBeforeMonth.has(text[back - 1])) --back;
  std::size_t begin = back;
  while (begin > 0 && back - begin <= 12 && (is_letter(text[begin - 1]) || !is_ascii(text[begin - 1]))) --begin;
  if (begin == back || !is_month(text.substr(begin, back - begin))) return {};
  return with_year(marks, i, begin, end);
}

}  // namespace

Date date_at(const Marks& marks, std::size_t i, bool announced) {
  if (!announced) return may_be_date(marks, i) ? numeric(marks, i, false) : Date{};
  if (const Date date = numeric(marks, i, true); date.end != 0) return date;
  if (const Date date = in_one_piece(marks, i); date.end != 0) return date;
  return in_words(marks, i);
}

}  // namespace hearth::privacy
