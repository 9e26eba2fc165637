/// \file JSON lines in and out: bounded reading of any number of lines, output that is whole or not there.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <hearth/result.h>

namespace hearth::tool {

/// Reads lines from a file, or from standard input ("-"). Memory: the longest line, at most `line_bytes_max`.
class LineReader {
 public:
  /// `before_wait` runs before each read that may block. Errors: kNotFound, kInvalidArgument name the file.
  static Result<LineReader> open(const std::string& file, std::size_t line_bytes_max,
                                 std::function<void()> before_wait);
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  /// The next line without its end; nothing at the end of the file. A line that is too long comes cut, and too_long()
  /// says so.
  std::optional<std::string_view> next();
  bool too_long() const { return too_long_; }
  bool failed() const { return failed_; }  ///< The file could not be read to its end.
  std::size_t line() const { return line_; }

 private:
  LineReader(int file, std::size_t line_bytes_max, std::function<void()> before_wait);
  bool refill();

  int file_;
  std::size_t line_bytes_max_;
  std::function<void()> before_wait_;
  std::string buffer_;
  std::size_t at_ = 0;  ///< Of what is not yet handed out.
  std::string line_text_;
  std::size_t line_ = 0;
  bool too_long_ = false;
  bool failed_ = false;
};

/// Standard output, or a file that appears under its name when publish() is called and not before.
class LineWriter {
 public:
  /// An empty `file` is standard output. Errors: kInvalidArgument when it cannot be written there.
  static Result<LineWriter> open(const std::string& file);
  LineWriter(LineWriter&& other) noexcept;
  LineWriter& operator=(LineWriter&&) = delete;
  ~LineWriter();  ///< Removes what was not published.

  void write(std::string_view line);  ///< Adds the line's end.
  void flush();
  Status publish();

 private:
  LineWriter(int file, std::string name, std::string part);

  int file_;
  std::string name_, part_;
  std::string buffer_;
  int error_ = 0;
};

}  // namespace hearth::tool
