#include "tools/hearth/scan_command.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"
#include "runtime/privacy/detector.h"
#include "runtime/privacy/plain_text.h"
#include "runtime/privacy/redact_text.h"
#include "tools/hearth/command.h"
#include "tools/hearth/json_lines.h"

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineBytesMax = 128 * 1024 * 1024;
constexpr const char* kTooLong = "longer than the limit of 128 MiB";

struct Options {
  std::vector<std::string> files;
  std::string policy;
  std::vector<std::string> types;
  std::string out;
  bool json = false;
};

/// A policy's own detectors, and the types by slot.
struct Vocabulary {
  std::vector<policies::OwnDetector> own;
  std::vector<std::string> names;
  privacy::Types wanted;
};

Result<Vocabulary> read_vocabulary(const Options& options) {
  Vocabulary vocabulary;
  if (!options.policy.empty()) {
    const auto policy = policies::Policy::load_file(options.policy);
    if (!policy.ok()) return policy.error();
    const auto own = policy.value()->own_detectors();
    vocabulary.own.assign(own.begin(), own.end());
  }
  auto& names = vocabulary.names;
  for (std::size_t i = 0; i < policies::kDetectedCount; ++i)
    names.emplace_back(name_of(static_cast<policies::Detected>(i)));
  for (const auto& detector : vocabulary.own) names.push_back(detector.type);
  if (options.types.empty()) vocabulary.wanted.set();
  for (const std::string& type : options.types) {
    const auto found = std::find(names.begin(), names.end(), type);
    if (found == names.end()) {
      std::string list;
      for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
      return Error{ErrorCode::kInvalidArgument,
                   "--types: expected any of " + list + "; got \"" + type + "\"" + suggestion(type, names)};
    }
    vocabulary.wanted.set(static_cast<std::size_t>(found - names.begin()));
  }
  return vocabulary;
}

std::string random_secret() {
  std::random_device entropy;
  std::string secret;
  while (secret.size() < 32) secret += static_cast<char>(entropy() & 0xff);
  return secret;
}

/// Turns lines into lines. Threads: one.
class Worker {
 public:
  Worker(Vocabulary vocabulary, bool redacts)
      : vocabulary_(std::move(vocabulary)),
        redacts_(redacts),
        detector_(vocabulary_.own, kLineBytesMax),
        redactor_(random_secret(), vocabulary_.own) {}

  /// The line for `line`, or why there is none; the reason never quotes it.
  Result<std::string> work(std::string_view line) {
    const auto bad = [](std::string why) { return Error{ErrorCode::kInvalidArgument, std::move(why)}; };
    const auto parsed = Json::parse(line, nullptr, false);
    if (parsed.is_discarded()) return bad(privacy::to_plain_text(line) ? "is not JSON" : "is not UTF-8");
    if (!parsed.is_object()) return bad(R"(expected an object such as {"id": "1", "text": "..."})");
    const auto text = parsed.find("text");
    if (text == parsed.end()) return bad("\"text\" is missing");
    if (!text->is_string()) return bad(std::string("\"text\" is ") + text->type_name() + ", expected a string");
    Json out;
    if (const auto id = parsed.find("id"); id != parsed.end()) {
      if (!id->is_primitive()) return bad("\"id\" is an array or an object, expected a string or a number");
      out["id"] = *id;
    }
    const auto& bytes = text->get_ref<const std::string&>();
    const Status done = redacts_ ? redact(bytes, out) : scan(bytes, out);
    if (!done.ok()) return done.error();
    return out.dump();
  }

  const std::map<std::string, std::size_t>& counts() const { return counts_; }

 private:
  Status scan(const std::string& text, Json& out) {
    const auto found = detector_.find(text);
    if (!found.understood) return {ErrorCode::kInvalidArgument, "the text was not understood"};
    auto& spans = out["spans"] = Json::array();
    std::size_t byte = 0, point = 0;
    const auto point_at = [&](std::size_t at) {  // asked in rising order
      for (; byte < at; ++byte) point += (static_cast<unsigned char>(text[byte]) & 0xc0) != 0x80;
      return point;
    };
    for (const auto& span : found.spans) {
      if (!vocabulary_.wanted.test(span.slot)) continue;
      const std::size_t start = point_at(span.begin), end = point_at(span.end);
      spans.push_back({{"start", start}, {"end", end}, {"type", vocabulary_.names.at(span.slot)}});
      ++counts_[vocabulary_.names.at(span.slot)];
    }
    return Done{};
  }

  Status redact(const std::string& text, Json& out) {
    const auto redaction = privacy::redact_text(detector_, redactor_, text, "this run", vocabulary_.wanted);
    if (!redaction.ok()) return redaction.error();
    out["text"] = redaction.value()->text();
    if (const std::size_t count = redaction.value()->placeholder_count(); count > 0) counts_["placeholders"] += count;
    return Done{};
  }

  Vocabulary vocabulary_;
  bool redacts_;
  privacy::TextDetector detector_;
  privacy::Redactor redactor_;
  std::map<std::string, std::size_t> counts_;
};

std::string summary(std::size_t lines, std::size_t bad, const std::map<std::string, std::size_t>& counts, bool json) {
  if (json) return Json{{"lines", lines}, {"bad_lines", bad}, {"found", counts}}.dump();
  std::string text = std::to_string(lines) + " lines, " + std::to_string(bad) + " bad";
  for (const auto& [what, count] : counts) text += ", " + what + " " + std::to_string(count);
  return text;
}

bool blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

int run(const Options& options, const std::string& name, bool redacts) {
  const auto complain = [&](const std::string& what, int code) {
    std::cerr << "hearth " << name << ": " << what << '\n';
    return code;
  };
  auto vocabulary = read_vocabulary(options);
  if (!vocabulary.ok()) return complain(vocabulary.error().message, kExitBadInput);
  std::optional<LineWriter> writer;
  std::vector<LineReader> readers;
  for (const auto& file : options.files) {  // all of them before anything is written
    auto opened = LineReader::open(file, kLineBytesMax, [&] { writer->flush(); });
    if (!opened.ok()) return complain(opened.error().message, kExitBadInput);
    readers.push_back(std::move(opened).value());
  }
  auto out = LineWriter::open(options.out);
  if (!out.ok()) return complain(out.error().message, kExitBadInput);
  writer.emplace(std::move(out).value());
  Worker worker(std::move(vocabulary).value(), redacts);
  std::size_t lines = 0, bad = 0;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    LineReader& reader = readers[i];
    const std::string file = options.files[i] == "-" ? "standard input" : options.files[i];
    while (const auto line = reader.next()) {
      if (blank(*line) && !reader.too_long()) continue;
      ++lines;
      const auto made =
          reader.too_long() ? Result<std::string>(ErrorCode::kResourceExhausted, kTooLong) : worker.work(*line);
      if (made.ok()) {
        writer->write(made.value());
      } else {
        ++bad;
        complain(file + ":" + std::to_string(reader.line()) + ": " + made.error().message, kExitBadInput);
      }
    }
    if (reader.failed()) return complain(file + ": cannot be read to its end", kExitFailed);
  }
  if (const auto status = writer->publish(); !status.ok()) return complain(status.error().message, kExitFailed);
  const std::string closing = summary(lines, bad, worker.counts(), options.json);
  std::cerr << (options.json ? closing : "hearth " + name + ": " + closing) << '\n';
  return bad == 0 ? kExitOk : kExitBadInput;
}

int command(int argc, char** argv, const std::string& name, bool redacts) {
  Options options;
  CLI::App app(redacts ? "Replaces personal data in JSON lines {\"id\", \"text\"} by placeholders such as\n"
                         "[PERSON_k7f3q5m2x4c4]. The same value has the same placeholder within one run."
                       : "Finds personal data in JSON lines {\"id\", \"text\"} and prints\n"
                         "{\"id\", \"spans\": [{\"start\", \"end\", \"type\"}]} for each, in code points.",
               "hearth " + name);
  app.add_option("FILES", options.files, "JSON lines; - or none: standard input");
  app.add_option("--policy", options.policy, "A policy whose own detectors are used too");
  app.add_option("--types", options.types, "Only these types, as EMAIL,PHONE")->delimiter(',')->allow_extra_args(false);
  app.add_option("--out", options.out, "Write here instead of standard output: whole, or not at all");
  app.add_flag("--json", options.json, "The closing line on standard error is JSON too");
  app.footer(
      "Lines that are bad or whose text is not understood are named on standard error; the others are worked off.\n"
      "Example: echo '{\"id\": 1, \"text\": \"write to ann@example.com\"}' | hearth " +
      name + "\n" + kExitCodes);
  if (const auto code = parse_flags(app, argc, argv)) return *code;
  if (options.files.empty()) options.files = {"-"};
  return run(options, name, redacts);
}

}  // namespace

int scan_main(int argc, char** argv) { return command(argc, argv, "scan", false); }
int redact_main(int argc, char** argv) { return command(argc, argv, "redact", true); }

}  // namespace hearth::tool
