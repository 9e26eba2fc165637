#include "runtime/base/json_reader.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace hearth {
namespace {

constexpr std::size_t kProblemsMax = 100;

std::string escaped(std::string_view key) {
  std::string step;
  for (const char c : key) {
    if (c == '~') {
      step += "~0";
    } else if (c == '/') {
      step += "~1";
    } else {
      step += c;
    }
  }
  return step;
}

/// One line, cut short: files may hold anything.
std::string printable(std::string_view text) {
  std::string line(text.substr(0, 60));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
  if (text.size() > 60) {
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
    line += "...";
  }
  return line;
}

std::string number_text(double value) {
  if (std::abs(value) < 1e15 && value == std::floor(value)) return std::to_string(static_cast<long long>(value));
  return nlohmann::json(value).dump();
}

std::string lower(std::string_view word) {
  std::string result(word);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// Damerau's distance between neighbours: insert, delete, replace, swap of two adjacent characters.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string describe(const nlohmann::json& value) {
  using Type = nlohmann::json::value_t;
  switch (value.type()) {
    case Type::string:
      return "\"" + printable(value.get_ref<const std::string&>()) + "\"";
    case Type::array:
      return "an array";
    case Type::object:
      return "an object";
    default:
      return value.dump();
  }
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > 64) return {};
  std::size_t best = std::max<std::size_t>(word.size() / 3, 1) + 1;  // This far is something else.
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 64) continue;
    const std::size_t distance = edit_distance(lower(word), lower(candidate));
    if (distance < best && distance < candidate.size()) {
      best = distance;
      found = candidate;
    }
  }
  if (found.empty() && word.size() >= 4) {  // Part of a longer name.
    for (const std::string& candidate : candidates) {
      if (candidate.find(word) != std::string::npos) return candidate;
    }
  }
  return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : " (did you mean \"" + near + "\"?)";
}

void Problems::add(const JsonDocument& document, const std::string& pointer, const std::string& message) {
  const std::string path = pointer.empty() ? "" : printable(pointer) + ": ";
  add_line(document.place_of(pointer) + ": " + path + message);
}

void Problems::add_line(std::string line) {
  if (lines_.size() < kProblemsMax) {
    lines_.push_back(std::move(line));
  } else {
    ++left_out_;
  }
}

void Problems::append(const Problems& others) {
  for (const std::string& line : others.lines_) add_line(line);
  left_out_ += others.left_out_;
}

Error Problems::as_error() const {
  std::string message;
  for (const std::string& line : lines_) message += (message.empty() ? "" : "\n") + line;
  if (left_out_ > 0) message += "\nand " + std::to_string(left_out_) + " more problems";
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

namespace {
const nlohmann::json& object_or_empty(const nlohmann::json& value) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  return value.is_object() ? value : kEmpty;
}
}  // namespace

JsonReader::JsonReader(const JsonDocument& document, const nlohmann::json& value, std::string pointer,
                       Problems& problems)
    : document_(document), value_(object_or_empty(value)), pointer_(std::move(pointer)), problems_(problems) {
  if (!value.is_object()) problem("", "expected an object, got " + describe(value));
}

const nlohmann::json* JsonReader::raw(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const auto found = value_.find(std::string(key));
  return found == value_.end() ? nullptr : &*found;
}

bool JsonReader::has(std::string_view key) { return raw(key) != nullptr; }

void JsonReader::require(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (!has(key)) problem("", "\"" + std::string(key) + "\" is missing");
  }
}

void JsonReader::take(std::string_view key, std::string& out) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_string()) return problem(key, "expected a string, got " + describe(*value));
  const auto& text = value->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) return problem(key, "a string here must not hold the character U+0000");
  out = text;
}

void JsonReader::take(std::string_view key, bool& out) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return problem(key, "expected true or false, got " + describe(*value));
  out = value->get<bool>();
}

void JsonReader::take(std::string_view key, double& out, double min, double max) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  const std::string range = number_text(min) + " to " + number_text(max);
  if (!value->is_number()) return problem(key, "expected a number from " + range + ", got " + describe(*value));
  const double number = value->get<double>();
  if (!(number >= min && number <= max)) {
    return problem(key, "expected a number from " + range + ", got " + describe(*value));
  }
  out = number;
}

void JsonReader::take(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  const auto refuse = [&] {
    problem(key, "expected a whole number from " + std::to_string(min) + " to " + std::to_string(max) + ", got " +
                     describe(*value));
  };
  std::uint64_t number = 0;
  if (value->is_number_unsigned()) {
    number = value->get<std::uint64_t>();
  } else if (value
                 ->is_number_float()) {  // 1e3 is a whole number too; past 2^53 it may not be the one that was written.
    const double real = value->get<double>();
    if (!(real >= 0 && real <= 9007199254740992.0 && real == std::floor(real))) return refuse();
    number = static_cast<std::uint64_t>(real);
  } else {
    return refuse();
  }
  if (number < min || number > max) return refuse();
  out = number;
}

void JsonReader::take(std::string_view key, std::vector<std::string>& out) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_array()) return problem(key, "expected an array of strings, got " + describe(*value));
  std::vector<std::string> strings;
  bool good = true;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const nlohmann::json& item = (*value)[i];
    if (item.is_string() && item.get_ref<const std::string&>().find('\0') == std::string::npos) {
      strings.push_back(item.get<std::string>());
    } else {
      problems_.add(document_, pointer_to(key) + "/" + std::to_string(i), "expected a string, got " + describe(item));
      good = false;
    }
  }
  if (good) out = std::move(strings);
}

void JsonReader::read_choice(std::string_view key, std::size_t& out, std::initializer_list<std::string_view> choices) {
  read_choice(key, out, std::span<const std::string_view>(choices.begin(), choices.size()));
}

void JsonReader::read_choice(std::string_view key, std::size_t& out, std::span<const std::string_view> choices) {
  take_choice(key, out, choices);
  if (out < choices.size()) see(key, std::string(choices[out]));
}

void JsonReader::take_choice(std::string_view key, std::size_t& out, std::span<const std::string_view> choices) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  std::string word;
  if (value->is_string()) {
    word = value->get<std::string>();
    const auto found = std::find(choices.begin(), choices.end(), word);
    if (found != choices.end()) {
      out = static_cast<std::size_t>(found - choices.begin());
      return;
    }
  }
  std::string list;
  for (const std::string_view choice : choices) list += (list.empty() ? "" : ", ") + std::string(choice);
  const std::vector<std::string> candidates(choices.begin(), choices.end());
  problem(key, "expected one of " + list + "; got " + describe(*value) + suggestion(word, candidates));
}

void JsonReader::object(std::string_view key, const std::function<void(JsonReader&)>& visit) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  JsonReader reader(document_, *value, pointer_to(key), problems_);
  reader.tell(seen_);
  if (!value->is_object()) return;
  visit(reader);
  reader.finish();
}

void JsonReader::section(std::string_view key, const std::function<void(JsonReader&)>& visit) {
  if (has(key)) return object(key, visit);
  static const nlohmann::json kEmpty = nlohmann::json::object();
  JsonReader reader(document_, kEmpty, pointer_to(key), problems_);
  reader.tell(seen_);
  visit(reader);
}

void JsonReader::objects(std::string_view key, const std::function<void(JsonReader&, std::size_t)>& visit) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_array()) return problem(key, "expected an array of objects, got " + describe(*value));
  for (std::size_t i = 0; i < value->size(); ++i) {
    JsonReader reader(document_, (*value)[i], pointer_to(key) + "/" + std::to_string(i), problems_);
    reader.tell(seen_);
    if (!(*value)[i].is_object()) continue;
    visit(reader, i);
    reader.finish();
  }
}

template <class T>
void JsonReader::see(std::string_view key, const T& value) const {
  if (seen_ != nullptr) (*seen_)(pointer_to(key), value, value_.contains(std::string(key)));
}
template void JsonReader::see(std::string_view key, const std::string& value) const;
template void JsonReader::see(std::string_view key, const bool& value) const;
template void JsonReader::see(std::string_view key, const double& value) const;
template void JsonReader::see(std::string_view key, const std::uint64_t& value) const;
template void JsonReader::see(std::string_view key, const std::vector<std::string>& value) const;

void JsonReader::problem(std::string_view key, const std::string& message) {
  problems_.add(document_, key.empty() ? pointer_ : pointer_to(key), message);
}

std::string JsonReader::pointer_to(std::string_view key) const { return pointer_ + "/" + escaped(key); }

void JsonReader::finish() {
  if (finished_) return;
  finished_ = true;
  for (const auto& [key, value] : value_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string hint = suggestion(key, known_);
    if (hint.empty()) {
      for (const std::string& known : known_) hint += (hint.empty() ? "; valid keys: " : ", ") + known;
    }
    problem(key, "unknown key" + hint);
  }
}

}  // namespace hearth
