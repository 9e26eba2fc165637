#include "runtime/privacy/keywords.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace hearth::privacy {
namespace {

/// What a word is by itself, or with a neighbour that must be checked.
enum class Role : std::uint8_t {
  kNone,
  kTopic,
  kFiller,
  kAfterDotted,   ///< The B of D.O.B.
  kBeforeRecord,  ///< medical record, medical chart
  kBeforeNumber,  ///< chart number, patient ID, MR#
  kBeforeSec,     ///< soc sec
  kSsNumber,      ///< SS#
  kOwnNumber,     ///< my number
  kAfterSecret,   ///< api key, access-key
};

struct Entry {
  std::string_view word;
  Role role;
  Topic topic;
};

// The order does not matter.
constexpr Topic p = Topic::kPhone;
constexpr Topic a = Topic::kPhoneAfter;
constexpr Topic none = Topic::kCount;
constexpr Role t = Role::kTopic;
constexpr Role f = Role::kFiller;

constexpr Entry kEntries[] = {
    {"a", f, none},
    {"answering", t, p},
    {"are", f, none},
    {"at", f, none},
    {"and", f, none},
    {"accesskey", t, Topic::kPassword},
    {"accesstoken", t, Topic::kPassword},
    {"accountkey", t, Topic::kPassword},
    {"anytime", f, none},
    {"apikey", t, Topic::kPassword},
    {"authtoken", t, Topic::kPassword},
    {"auf", f, none},
    {"b", Role::kAfterDotted, Topic::kBirth},
    {"back", f, none},
    {"bday", t, Topic::kBirth},
    {"bearer", t, Topic::kBearer},
    {"begin", t, Topic::kKeyBlock},
    {"birth", t, Topic::kBirth},
    {"birthdate", t, Topic::kBirth},
    {"birthday", t, Topic::kBirth},
    {"born", t, Topic::kBirth},
    {"call", t, p},
    {"called", t, p},
    {"calling", t, p},
    {"callback", t, p},
    {"can", f, none},
    {"cell", t, p},
    {"cellphone", t, p},
    {"cellular", t, p},
    {"chart", Role::kBeforeNumber, Topic::kMrn},
    {"clientsecret", t, Topic::kPassword},
    {"contact", t, p},
    {"credential", t, Topic::kPassword},
    {"credentials", t, Topic::kPassword},
    {"dial", t, p},
    {"direct", f, none},
    {"directly", f, none},
    {"dob", t, Topic::kBirth},
    {"either", f, none},
    {"ext", f, none},
    {"fax", t, p},
    {"for", f, none},
    {"geb", t, Topic::kBirth},
    {"geboren", t, Topic::kBirth},
    {"geburtsdatum", t, Topic::kBirth},
    {"geburtstag", t, Topic::kBirth},
    {"handy", t, p},
    {"handynummer", t, p},
    {"her", f, none},
    {"him", f, none},
    {"his", f, none},
    {"home", t, a},
    {"hospital", Role::kBeforeNumber, Topic::kMrn},
    {"hotline", t, p},
    {"helpline", t, p},
    {"health", Role::kBeforeRecord, Topic::kMrn},
    {"in", f, none},
    {"is", f, none},
    {"it", f, none},
    {"itin", t, Topic::kSsn},
    {"ist", f, none},
    {"key", Role::kAfterSecret, Topic::kPassword},
    {"landline", t, p},
    {"line", f, none},
    {"main", f, none},
    {"me", f, none},
    {"medical", Role::kBeforeRecord, Topic::kMrn},
    {"med", Role::kBeforeRecord, Topic::kMrn},
    {"medrec", t, Topic::kMrn},
    {"message", f, none},
    {"mobil", t, p},
    {"mobile", t, p},
    {"mr", Role::kBeforeNumber, Topic::kMrn},
    {"mrn", t, Topic::kMrn},
    {"mrns", t, Topic::kMrn},
    {"my", f, none},
    {"nacimiento", t, Topic::kBirth},
    {"nacido", t, Topic::kBirth},
    {"nacida", t, Topic::kBirth},
    {"naissance", t, Topic::kBirth},
    {"new", f, none},
    {"no", f, none},
    {"now", f, none},
    {"npi", t, Topic::kNpi},
    {"npis", t, Topic::kNpi},
    {"nr", f, none},
    {"num", f, none},
    {"number", Role::kOwnNumber, p},
    {"numbers", f, none},
    {"nummer", f, none},
    {"office", t, a},
    {"on", f, none},
    {"or", f, none},
    {"our", f, none},
    {"pager", t, p},
    {"passcode", t, Topic::kPassword},
    {"passphrase", t, Topic::kPassword},
    {"passwd", t, Topic::kPassword},
    {"password", t, Topic::kPassword},
    {"passwort", t, Topic::kPassword},
    {"patient", Role::kBeforeNumber, Topic::kMrn},
    {"pass", t, Topic::kPassword},
    {"ph", t, p},
    {"phone", t, p},
    {"phones", t, p},
    {"phoned", t, p},
    {"please", f, none},
    {"privatekey", t, Topic::kPassword},
    {"provider", Role::kBeforeNumber, Topic::kNpi},
    {"pwd", t, Topic::kPassword},
    {"reach", t, p},
    {"reached", t, p},
    {"ring", t, p},
    {"rufnummer", t, p},
    {"secret", t, Topic::kPassword},
    {"secretkey", t, Topic::kPassword},
    {"signal", t, p},
    {"sms", t, p},
    {"soc", Role::kBeforeSec, Topic::kSsn},
    {"social", t, Topic::kSsn},
    {"ss", Role::kSsNumber, Topic::kSsn},
    {"ssn", t, Topic::kSsn},
    {"ssns", t, Topic::kSsn},
    {"taxpayer", t, Topic::kSsn},
    {"tel", t, p},
    {"telefax", t, p},
    {"telefon", t, p},
    {"telefono", t, p},
    {"telegram", t, p},
    {"telephone", t, p},
    {"text", t, p},
    {"the", f, none},
    {"their", f, none},
    {"them", f, none},
    {"this", f, none},
    {"tin", t, Topic::kSsn},
    {"to", f, none},
    {"today", f, none},
    {"token", t, Topic::kPassword},
    {"tomorrow", f, none},
    {"under", f, none},
    {"unter", f, none},
    {"us", f, none},
    {"via", f, none},
    {"voicemail", t, p},
    {"was", f, none},
    {"whatsapp", t, p},
    {"with", f, none},
    {"work", t, a},
    {"you", f, none},
    {"your", f, none},
};

constexpr std::size_t row_of(char first_letter, std::size_t size) {
  return static_cast<std::size_t>(first_letter - 'a') * (kKeywordMax + 1) + size;
}
constexpr std::size_t kRows = 26 * (kKeywordMax + 1);

/// The entries, those of the same first letter and length together.
struct Table {
  std::array<Entry, std::size(kEntries)> entries;
  std::array<std::uint8_t, kRows + 1> first{};  ///< Where a row begins.
};

constexpr Table kTable = [] {
  static_assert(std::size(kEntries) < 256);
  Table table{std::to_array(kEntries)};
  std::sort(table.entries.begin(), table.entries.end(), [](const Entry& x, const Entry& y) {
    return row_of(x.word[0], x.word.size()) < row_of(y.word[0], y.word.size());
  });
  std::size_t row = 0;
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const std::string_view word = table.entries[i].word;
    if (word.size() > kKeywordMax) throw "too long";  // at compile time
    while (row < row_of(word[0], word.size())) table.first[++row] = static_cast<std::uint8_t>(i);
  }
  while (row < kRows) table.first[++row] = static_cast<std::uint8_t>(table.entries.size());
  return table;
}();

constexpr std::array<std::uint64_t, 26> kTopics = [] {
  std::array<std::uint64_t, 26> words{};
  for (const Entry& entry : kEntries) {
    if (entry.role == Role::kFiller) continue;
    const auto second = static_cast<std::size_t>(entry.word[entry.word.size() > 1 ? 1 : 0] - 'a');
    words[static_cast<std::size_t>(entry.word[0] - 'a')] |=
        std::uint64_t{1} << entry.word.size() | std::uint64_t{1} << (16 + second);
  }
  return words;
}();

std::size_t skip(std::string_view text, std::size_t at, std::string_view marks) {
  for (int i = 0; i < 3 && at < text.size() && marks.find(text[at]) != std::string_view::npos; ++i) ++at;
  return at;
}

bool follows(std::string_view text, std::size_t end, std::initializer_list<std::string_view> words) {
  const std::size_t at = skip(text, end, " \t\n-_./");
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return stands_at(text, at, word); });
}

/// Whether one of `words` ends right before `begin`, a space, dash or underscore between or nothing.
bool precedes(std::string_view text, std::size_t begin, std::initializer_list<std::string_view> words) {
  if (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '_' || text[begin - 1] == '-')) --begin;
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return begin >= word.size() && stands_at(text, begin - word.size(), word);
  });
}

bool number_follows(std::string_view text, std::size_t end) {
  const std::size_t at = skip(text, end, " \t\n-_.");
  if (at == text.size()) return false;
  if (text[at] == '#') return true;
  if (lower(text[at]) != 'n' && lower(text[at]) != 'i') return false;
  for (const std::string_view word : {"number", "num", "no", "nr", "id", "identifier", "identification"})
    if (stands_at(text, at, word) && !word_behind(text, at + word.size())) return true;
  return false;
}

bool holds(Role role, std::string_view text, std::size_t begin, std::size_t end) {
  switch (role) {
    case Role::kTopic:
      return true;
    case Role::kAfterDotted:
      return begin >= 4 && stands_at(text, begin - 4, "d.o.");
    case Role::kBeforeRecord:
      return follows(text, end, {"rec", "chart", "id", "file n"});
    case Role::kBeforeNumber:
      return number_follows(text, end);
    case Role::kBeforeSec:
      return follows(text, end, {"sec"});
    case Role::kSsNumber:
      return number_follows(text, end);
    case Role::kOwnNumber:
      return precedes(text, begin, {"my", "his", "her", "your", "our", "their"});
    case Role::kAfterSecret:
      return precedes(text, begin,
                      {"api", "access", "secret", "private", "auth", "encryption", "signing", "account", "master",
                       "license", "ssh", "security", "shared"});
    case Role::kNone:
    case Role::kFiller:
      break;
  }
  return false;
}

}  // namespace

const std::array<std::uint64_t, 26> kTopicWords = kTopics;

WordKind kind_of(std::string_view text, std::size_t begin, std::size_t end) {
  WordKind kind;
  const std::size_t row = row_of(lower(text[begin]), end - begin);
  for (std::size_t i = kTable.first[row]; i < kTable.first[row + 1]; ++i) {
    const Entry& entry = kTable.entries[i];
    if (!stands_at(text, begin, entry.word)) continue;
    kind.is_topic = holds(entry.role, text, begin, end);
    kind.is_filler = entry.role == Role::kFiller || entry.role == Role::kOwnNumber || entry.topic == Topic::kPhoneAfter;
    kind.topic = entry.topic;
    return kind;
  }
  return kind;
}

}  // namespace hearth::privacy
