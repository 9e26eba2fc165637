/// \file JsonReader: checked reading of configuration files. Every problem is found in one pass and named with its
/// place.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/result.h>

namespace hearth {

/// A parsed file that remembers where each value begins.
/// Refuses: bad JSON, duplicate keys, nesting deeper than kDepthMax, more than kValuesMax values, files over
/// kSizeMaxBytes. Errors read `origin:line:column: what`. Threads: immutable after parse().
class JsonDocument {
 public:
  static constexpr std::uint64_t kSizeMaxBytes = 16 * 1024 * 1024;
  static constexpr std::size_t kDepthMax = 64;
  static constexpr std::size_t kValuesMax = 1'000'000;

  static Result<std::shared_ptr<const JsonDocument>> parse(std::string_view text, const std::string& origin);
  static Result<std::shared_ptr<const JsonDocument>> read_file(const std::string& file);

  const nlohmann::json& root() const { return root_; }
  const std::string& origin() const { return origin_; }
  /// `origin:line:column` of the first character of the value at a JSON pointer ("/classes/0/name"); of its nearest
  /// known parent when unknown. Lines and columns count from 1, columns in bytes.
  std::string place_of(const std::string& pointer) const;

 private:
  friend class PositionedBuilder;
  /// One value of the file, in the order of the file; the root is its own parent.
  struct Place {
    std::uint32_t parent = 0;
    int line = 1;
    int column = 1;
    std::string step;  ///< Key, or index as text.
  };
  nlohmann::json root_;
  std::string origin_;
  std::vector<Place> places_;
};

/// Collects problems: `origin:line:column: path: message`. Keeps the first hundred and counts the rest.
class Problems {
 public:
  void add(const JsonDocument& document, const std::string& pointer, const std::string& message);
  void add_line(std::string line);  ///< A problem that has no place in a document.
  void append(const Problems& others);
  bool empty() const { return lines_.empty(); }
  /// All problems, one per line, as a kInvalidArgument error.
  Error as_error() const;

 private:
  std::vector<std::string> lines_;
  std::size_t left_out_ = 0;
};

/// Told each scalar that was asked for, with the value that holds: the file's, or the default (`given` is false).
using ValueSeen = std::function<void(const std::string& pointer, const nlohmann::json& value, bool given)>;

/// Reads the keys of one JSON object. Values of the wrong type or out of range become problems and leave the target as
/// it was; absent keys do the same without a problem. finish() reports every key that nobody asked for, with the
/// nearest valid one.
class JsonReader {
 public:
  JsonReader(const JsonDocument& document, const nlohmann::json& value, std::string pointer, Problems& problems);

  /// From now on `seen` is told of every read, here and in the objects below. It must outlive the reader.
  void tell(const ValueSeen* seen) { seen_ = seen; }

  bool has(std::string_view key);
  void require(std::initializer_list<std::string_view> keys);

  /// `out`: a string, bool, double (with its least and most), std::uint64_t (the same) or vector of strings.
  template <class T, class... Range>
  void read(std::string_view key, T& out, Range... range) {
    take(key, out, range...);
    see(key, out);
  }
  /// One of `choices`; the index goes to `out`.
  void read_choice(std::string_view key, std::size_t& out, std::initializer_list<std::string_view> choices);
  void read_choice(std::string_view key, std::size_t& out, std::span<const std::string_view> choices);
  /// Calls `visit` with a reader for the object at `key`, when there is one, and then its finish().
  void object(std::string_view key, const std::function<void(JsonReader&)>& visit);
  /// The same; an absent object is visited as an empty one, so that its defaults are seen. For objects without required
  /// keys.
  void section(std::string_view key, const std::function<void(JsonReader&)>& visit);
  /// Calls `visit` for each object of the array at `key`, and then its finish().
  void objects(std::string_view key, const std::function<void(JsonReader&, std::size_t)>& visit);
  /// The raw value, marked as read; null when absent.
  const nlohmann::json* raw(std::string_view key);

  void problem(std::string_view key, const std::string& message);  ///< Empty key: the object itself.
  const std::string& pointer() const { return pointer_; }
  const nlohmann::json& value() const { return value_; }
  std::string pointer_to(std::string_view key) const;
  const JsonDocument& document() const { return document_; }
  Problems& problems() { return problems_; }
  /// Reports the keys nobody read. The second call does nothing.
  void finish();

 private:
  void take(std::string_view key, std::string& out);
  void take(std::string_view key, bool& out);
  void take(std::string_view key, double& out, double min, double max);
  void take(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max);
  void take(std::string_view key, std::vector<std::string>& out);
  void take_choice(std::string_view key, std::size_t& out, std::span<const std::string_view> choices);
  template <class T>
  void see(std::string_view key, const T& value) const;

  const JsonDocument& document_;
  const nlohmann::json& value_;
  std::string pointer_;
  Problems& problems_;
  const ValueSeen* seen_ = nullptr;
  std::vector<std::string> known_;
  bool finished_ = false;
};

/// What stands at a place, for messages: `"text"`, `12`, `an array`. Cut to one short line.
std::string describe(const nlohmann::json& value);

/// ` (did you mean "nearest"?)`, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

/// The candidate with the smallest edit distance to `word`, when it is near enough to be meant; empty otherwise.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// A whole file as bytes. kNotFound when missing, kInvalidArgument for a folder, kResourceExhausted over `size_max`.
Result<std::string> read_whole_file(const std::string& file, std::uint64_t size_max);

}  // namespace hearth
