#include "bench/redactors.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "policies/policy.h"

namespace hearth::bench {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

std::string redacted(const privacy::TextDetector& detector, const std::string& text) {
  std::string result;
  std::size_t at = 0;
  for (const privacy::Span& span : detector.find(text).spans) {
    result.append(text, at, span.begin - at);
    result += '[';
    result += policies::name_of(static_cast<policies::Detected>(span.slot));
    result += ']';
    at = span.end;
  }
  return result.append(text, at);
}

/// A folder that goes away with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bench_detect.XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string quoted(const std::string& word) { return "'" + word + "'"; }

/// Runs the peer on `texts` and appends what it gave back.
bool run_peer(const std::string& folder, const std::string& peer, const std::vector<std::string>& texts, int rounds,
              std::vector<std::string>& outputs, std::vector<double>& seconds) {
  const TemporaryFolder here;
  if (here.path().empty()) return false;
  const std::string in = (here.path() / "texts.jsonl").string();
  const std::string out = (here.path() / "redacted.jsonl").string();
  {
    std::ofstream file(in);
    for (const std::string& text : texts)
      file << Json(text).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  const std::string command = "node bench/peers/run.js " + quoted(folder) + " " + quoted(peer) + " " + quoted(in) +
                              " " + std::to_string(rounds) + " > " + quoted(out) + " 2> /dev/null";
  if (std::system(command.c_str()) != 0) return false;
  std::ifstream file(out);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_string()) outputs.push_back(json);
    if (json.is_array()) seconds = json.get<std::vector<double>>();
  }
  return outputs.size() == texts.size() && !seconds.empty();
}

}  // namespace

Redacted redact_here(const privacy::TextDetector& detector, const RedactionTexts& texts, int rounds) {
  Redacted result;
  for (const std::string& text : texts.plain) result.plain.push_back(redacted(detector, text));  // Warms up, too.
  for (int round = 0; round < rounds; ++round) {
    result.labelled.clear();
    const auto begin = Clock::now();
    for (const std::string& text : texts.labelled) result.labelled.push_back(redacted(detector, text));
    result.seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return result;
}

std::optional<Redacted> redact_with_peer(const std::string& folder, const std::string& peer,
                                         const RedactionTexts& texts, int rounds) {
  if (!std::filesystem::exists(std::filesystem::path(folder) / "node_modules" / peer)) return {};
  Redacted result;
  std::vector<double> unused;
  std::fflush(stdout);
  if (!run_peer(folder, peer, texts.labelled, rounds, result.labelled, result.seconds)) return {};
  if (!texts.plain.empty() && !run_peer(folder, peer, texts.plain, 1, result.plain, unused)) return {};
  return result;
}

void print_redactor(const std::string& name, const std::optional<Redacted>& redacted, const RedactionTexts& texts) {
  if (!redacted) {
    std::printf("  %-28s not measured: it needs node, and bench/peers/install puts the packages in place\n",
                name.c_str());
    return;
  }
  const auto gone = std::count_if(texts.values.begin(), texts.values.end(), [&](const RedactionTexts::Value& value) {
    return redacted->labelled[value.text].find(value.value) == std::string::npos;
  });
  std::size_t hits = 0;
  for (std::size_t i = 0; i < texts.plain.size(); ++i) hits += redacted->plain[i] != texts.plain[i];
  std::size_t bytes = 0;
  for (const std::string& text : texts.labelled) bytes += text.size();
  std::vector<double> seconds = redacted->seconds;
  std::sort(seconds.begin(), seconds.end());
  const double each = 1e6 / static_cast<double>(texts.labelled.size());
  const double median = seconds[seconds.size() / 2];
  std::printf("  %-28s recall %.3f  plain texts hit %4zu of %zu  %9.3f us/message (%.3f-%.3f)  %7.2f MB/s\n",
              name.c_str(),
              static_cast<double>(gone) / static_cast<double>(std::max<std::size_t>(texts.values.size(), 1)), hits,
              texts.plain.size(), median * each, seconds.front() * each, seconds.back() * each,
              static_cast<double>(bytes) / 1e6 / median);
}

}  // namespace hearth::bench
