#include <algorithm>
#include <iterator>

#include "runtime/base/json_reader.h"

namespace hearth {
namespace {

/// Where the parser is. Its events fire when a token has been read, for a number one character later, so that the place
/// of a value is where the last token began; separators and closing brackets are not tokens here.
struct ReadingPlace {
  enum class In : std::uint8_t { kNothing, kString, kEscape, kWord };

  explicit ReadingPlace(const char* begin) : line_begin(begin) {}

  void pass(const char* at) {
    switch (in) {
      case In::kString:
        if (*at == '"') in = In::kNothing;
        if (*at == '\\') in = In::kEscape;
        break;
      case In::kEscape:
        in = In::kString;
        break;
      default:
        pass_outside(at);
    }
  }

  int line = 1;
  const char* line_begin;
  In in = In::kNothing;
  int token_line = 1;
  int token_column = 1;

 private:
  void pass_outside(const char* at) {
    const unsigned char c = static_cast<unsigned char>(*at);
    // A byte above ASCII is of a byte order mark here, or an error.
    if (c <= ' ' || c == ',' || c == ':' || c == ']' || c == '}' || c > '~') {
      in = In::kNothing;
      if (c == '\n') {  // Inside a string it is an error.
        ++line;
        line_begin = at + 1;
      }
      return;
    }
    const bool word = c != '"' && c != '{' && c != '[';
    if (!word || in == In::kNothing) {
      token_line = line;
      token_column = static_cast<int>(at - line_begin) + 1;
    }
    in = word ? In::kWord : c == '"' ? In::kString : In::kNothing;
  }
};

/// Hands characters to the parser and follows its place: nlohmann's events carry no positions.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, ReadingPlace* place) : at_(at), place_(place) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    place_->pass(at_);
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  ReadingPlace* place_;
};

/// `line:column` of the `count`-th byte.
std::string position(std::string_view text, std::size_t count) {
  const std::size_t at = std::min(count == 0 ? 0 : count - 1, text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  const std::size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const std::size_t column = newline == std::string_view::npos ? at + 1 : at - newline;
  return std::to_string(line) + ":" + std::to_string(column);
}

/// The library's message without its number and place, printable and short.
std::string plain_message(std::string message) {
  for (const std::string_view cut : {"] ", "parse error at line "}) {
    const auto found = message.find(cut);
    if (found == std::string::npos) continue;
    message.erase(0, found + cut.size());
    if (cut.front() != 'p') continue;
    if (const auto colon = message.find(": "); colon != std::string::npos) message.erase(0, colon + 2);
  }
  // The place says it already, and the file's own text is not for messages.
  if (const auto begin = message.find("; last read: '"); begin != std::string::npos) {
    const auto end = message.rfind("'; expected ");
    message.erase(begin, end == std::string::npos || end < begin ? std::string::npos : end + 1 - begin);
  }
  if (message.size() > 160) message = message.substr(0, 160) + "...";
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return message;
}

}  // namespace

/// Builds the value and its places from the parser's events.
class PositionedBuilder final : public nlohmann::json::json_sax_t {
 public:
  PositionedBuilder(JsonDocument& document, const ReadingPlace& reading, std::string_view text)
      : document_(document), reading_(reading), text_(text) {}

  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override { return add(value) != nullptr; }
  bool string(string_t& value) override { return add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(nlohmann::json::object()); }
  bool start_array(std::size_t) override { return open(nlohmann::json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    // The last value would win silently. Reading goes on, so that every such key is named at once.
    if (open_.back().value->contains(key_) && duplicate_count_++ < 20) {
      duplicates_ += prefix() + "key " + describe(key_) + " stands twice in one object\n";
    }
    return true;
  }
  bool parse_error(std::size_t count, const std::string&, const nlohmann::json::exception& error) override {
    error_ = document_.origin() + ":" + position(text_, count) + ": " + plain_message(error.what());
    return false;
  }

  /// Empty when all went well.
  std::string error() const {
    if (!error_.empty()) return duplicates_ + error_;
    return duplicates_.substr(0, duplicates_.empty() ? 0 : duplicates_.size() - 1);
  }

 private:
  struct Level {
    nlohmann::json* value;
    std::uint32_t place;
  };

  std::string prefix() const {
    return document_.origin() + ":" + std::to_string(reading_.token_line) + ":" +
           std::to_string(reading_.token_column) + ": ";
  }

  nlohmann::json* add(nlohmann::json value) {
    if (document_.places_.size() >= JsonDocument::kValuesMax) {
      error_ = prefix() + "more than " + std::to_string(JsonDocument::kValuesMax) + " values in one file";
      return nullptr;
    }
    if (open_.empty()) {
      document_.places_.push_back({0, reading_.token_line, reading_.token_column, ""});
      document_.root_ = std::move(value);
      return &document_.root_;
    }
    nlohmann::json& parent = *open_.back().value;
    if (parent.is_array()) {
      document_.places_.push_back(
          {open_.back().place, reading_.token_line, reading_.token_column, std::to_string(parent.size())});
      parent.push_back(std::move(value));
      return &parent.back();
    }
    document_.places_.push_back({open_.back().place, reading_.token_line, reading_.token_column, key_});
    return &(parent[key_] = std::move(value));
  }

  bool open(nlohmann::json empty) {
    if (open_.size() >= JsonDocument::kDepthMax) {
      error_ = prefix() + "nested deeper than " + std::to_string(JsonDocument::kDepthMax) + " levels";
      return false;
    }
    nlohmann::json* value = add(std::move(empty));
    if (value == nullptr) return false;
    open_.push_back({value, static_cast<std::uint32_t>(document_.places_.size() - 1)});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonDocument& document_;
  const ReadingPlace& reading_;
  std::string_view text_;
  std::vector<Level> open_;
  std::string key_;
  std::string duplicates_;  ///< A line each, the first twenty.
  int duplicate_count_ = 0;
  std::string error_;
};

Result<std::shared_ptr<const JsonDocument>> JsonDocument::parse(std::string_view text, const std::string& origin) try {
  if (text.size() > kSizeMaxBytes) {
    return {ErrorCode::kResourceExhausted,
            origin + ": larger than the limit of " + std::to_string(kSizeMaxBytes) + " bytes"};
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return {ErrorCode::kInvalidArgument, origin + ":1:1: the file is empty, expected JSON"};
  }
  auto document = std::make_shared<JsonDocument>();
  document->origin_ = origin;
  ReadingPlace reading(text.data());
  PositionedBuilder builder(*document, reading, text);
  const bool whole = nlohmann::json::sax_parse(CountingIterator(text.data(), &reading),
                                               CountingIterator(text.data() + text.size(), &reading), &builder);
  std::string error = builder.error();
  if (error.empty() && !whole) error = origin + ": cannot be read as JSON";
  if (!error.empty()) return {ErrorCode::kInvalidArgument, std::move(error)};
  return std::shared_ptr<const JsonDocument>(std::move(document));
} catch (const std::exception&) { return {ErrorCode::kResourceExhausted, origin + ": out of memory while reading"}; }

Result<std::shared_ptr<const JsonDocument>> JsonDocument::read_file(const std::string& file) {
  auto text = read_whole_file(file, kSizeMaxBytes);
  if (!text.ok()) return text.error();
  return parse(text.value(), file);
}

std::string JsonDocument::place_of(const std::string& pointer) const {
  if (places_.empty()) return origin_ + ":1:1";
  std::size_t place = 0;
  std::size_t begin = 1;
  while (begin <= pointer.size()) {
    const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
    std::string step = pointer.substr(begin, end - begin);
    for (const auto& [escaped, plain] : {std::pair<std::string_view, char>{"~1", '/'}, {"~0", '~'}}) {
      for (std::size_t at = 0; (at = step.find(escaped, at)) != std::string::npos; ++at) step.replace(at, 2, 1, plain);
    }
    std::size_t child = place + 1;
    while (child < places_.size() && !(places_[child].parent == place && places_[child].step == step)) ++child;
    if (child == places_.size()) break;
    place = child;
    begin = end + 1;
  }
  return origin_ + ":" + std::to_string(places_[place].line) + ":" + std::to_string(places_[place].column);
}

}  // namespace hearth
