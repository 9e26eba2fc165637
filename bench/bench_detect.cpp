/// \file bench_detect: how much of labelled text the detectors find, and how fast, next to three npm packages.
///
/// Recall and precision by overlap of spans with ../shared/data/pii/dev.jsonl; hits among plain bank messages; time per
/// message and bytes per second over messages, clean long text, dense hits and hostile text, one thread, the median of
/// several rounds with their range. Then hearth and the peers by one method: see redactors.h.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/redactors.h"
#include "runtime/privacy/detector.h"

namespace {

using hearth::policies::Detected;
using hearth::privacy::Span;
using hearth::privacy::TextDetector;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Label {
  std::size_t begin;
  std::size_t end;
  std::string type;
};
struct Message {
  std::string text;
  std::vector<Label> labels;
};

const std::vector<Detected> kStructured = {Detected::kEmail, Detected::kPhone, Detected::kCreditCard, Detected::kSsn,
                                           Detected::kIban,  Detected::kIp,    Detected::kMrn,        Detected::kNpi};

bool is_structured(std::uint8_t slot) {
  return std::any_of(kStructured.begin(), kStructured.end(),
                     [&](Detected type) { return static_cast<std::uint8_t>(type) == slot; });
}

std::vector<Message> read_labelled(const std::string& file) {
  std::vector<Message> messages;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const Json json = Json::parse(line);
    Message message{json.at("text"), {}};
    for (const auto& span : json.at("spans"))
      message.labels.push_back({span.at("byte_start"), span.at("byte_end"), span.at("type")});
    messages.push_back(std::move(message));
  }
  return messages;
}

/// The first column of a CSV file (RFC 4180), without its header.
std::vector<Message> read_csv(const std::string& file) {
  std::ifstream in(file);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::vector<Message> messages;
  std::string field;
  bool quoted = false;
  bool first = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char c = all[i];
    if (c == '"') {
      if (quoted && i + 1 < all.size() && all[i + 1] == '"')
        field += all[++i];
      else
        quoted = !quoted;
    } else if (c == ',' && !quoted) {
      if (first) messages.push_back({field, {}});
      first = false;
      field.clear();
    } else if (c == '\n' && !quoted) {
      first = true;
      field.clear();
    } else {
      field += c;
    }
  }
  if (!messages.empty()) messages.erase(messages.begin());
  return messages;
}

struct Score {
  unsigned labels = 0;
  unsigned found = 0;  ///< Labels that a span of the same type overlaps.
  unsigned spans = 0;
  unsigned right = 0;  ///< Spans that overlap a label of the same type.
};

bool overlap(std::size_t a, std::size_t b, std::size_t c, std::size_t d) { return a < d && c < b; }

void print_score(const char* name, const Score& score) {
  const auto ratio = [](unsigned a, unsigned b) { return b == 0 ? 1.0 : static_cast<double>(a) / b; };
  std::printf("  %-14s labels %4u  recall %.3f  spans %4u  precision %.3f\n", name, score.labels,
              ratio(score.found, score.labels), score.spans, ratio(score.right, score.spans));
}

void score(const TextDetector& detector, const std::vector<Message>& messages, bool show) {
  std::map<std::string, Score> scores;
  Score together;
  for (const Message& message : messages) {
    const auto found = detector.find(message.text);
    for (const Detected type : kStructured) {
      const std::string name(hearth::policies::name_of(type));
      Score& own = scores[name];
      for (const Label& label : message.labels) {
        if (label.type != name) continue;
        ++own.labels;
        const bool hit = std::any_of(found.spans.begin(), found.spans.end(), [&](const Span& span) {
          return span.slot == static_cast<std::uint8_t>(type) && overlap(span.begin, span.end, label.begin, label.end);
        });
        own.found += hit;
        if (show && !hit)
          std::printf("  missed %s: %s\n", name.c_str(),
                      message.text.substr(label.begin, label.end - label.begin).c_str());
      }
      for (const Span& span : found.spans) {
        if (span.slot != static_cast<std::uint8_t>(type)) continue;
        ++own.spans;
        const bool right = std::any_of(message.labels.begin(), message.labels.end(), [&](const Label& label) {
          return label.type == name && overlap(span.begin, span.end, label.begin, label.end);
        });
        own.right += right;
        if (show && !right)
          std::printf("  wrong %s: %s\n", name.c_str(), message.text.substr(span.begin, span.end - span.begin).c_str());
      }
    }
  }
  for (const auto& [name, own] : scores) {
    print_score(name.c_str(), own);
    together.labels += own.labels, together.found += own.found, together.spans += own.spans,
        together.right += own.right;
  }
  print_score("together", together);
}

std::size_t bytes_of(const std::vector<Message>& messages) {
  std::size_t bytes = 0;
  for (const Message& message : messages) bytes += message.text.size();
  return bytes;
}

void time_it(const char* name, const std::vector<Message>& messages, const TextDetector& detector, bool quick) {
  std::vector<double> seconds;
  std::uint64_t hits = 0;
  for (int round = 0; round < (quick ? 3 : 15); ++round) {
    const auto begin = Clock::now();
    hits = 0;
    std::size_t bytes = 0;
    int repeats = 0;
    do {
      for (const Message& message : messages) {
        const auto found = detector.detect(message.text);
        for (const auto count : found.counts) hits += count;
        bytes += message.text.size();
      }
      ++repeats;
    } while (bytes < (quick ? 200'000u : 8'000'000u));
    hits /= static_cast<std::uint64_t>(repeats);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / repeats);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const double mib = static_cast<double>(bytes_of(messages)) / 1e6;
  std::printf("  %-28s %8.3f us/message  %7.1f MB/s (range %.1f-%.1f)  hits %llu\n", name,
              median * 1e6 / static_cast<double>(messages.size()), mib / median, mib / seconds.back(),
              mib / seconds.front(), static_cast<unsigned long long>(hits));
}

std::vector<Message> repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return {{text, {}}};
}

const char* const kClean =
    "The committee met in the old library to talk about the garden, the roof and what the winter would bring. Nobody "
    "could say how long the repairs might take, but everyone agreed that the books had to be moved before the rain. In "
    "the afternoon, after 3 hours of talk, they voted: 12 were in favour, 4 against, and the rest went home for tea. ";
const char* const kDense =
    "a.b@example.com +1-212-555-0134 4111 1111 1111 1111 DE89370400440532013000 10.0.0.1 fe80::1 078-05-1120 "
    "MRN 1234567 DOB 01/02/1980 password=hunter22 ";

/// Messages without personal data in which a structured type is found all the same.
void count_plain_hits(const TextDetector& detector, const std::vector<Message>& plain, bool show) {
  if (plain.empty()) return;
  std::size_t with_hit = 0;
  for (const Message& message : plain) {
    const auto found = detector.find(message.text);
    const bool hit =
        std::any_of(found.spans.begin(), found.spans.end(), [](const Span& span) { return is_structured(span.slot); });
    with_hit += hit;
    if (show && hit) std::printf("  hit: %s\n", message.text.c_str());
  }
  std::printf("plain bank messages with a structured hit: %zu of %zu\n", with_hit, plain.size());
}

void measure_speed(const TextDetector& detector, const std::vector<Message>& labelled,
                   const std::vector<Message>& plain, bool quick) {
  const std::size_t size = quick ? 100'000 : 1'000'000;
  std::printf("speed, one thread:\n");
  if (!labelled.empty()) time_it("labelled messages", labelled, detector, quick);
  if (!plain.empty()) time_it("plain bank messages", plain, detector, quick);
  time_it("clean long text", repeated(kClean, size), detector, quick);
  time_it("clean, with accents", repeated(std::string(kClean) + "Déjà vu, naïve café. ", size), detector, quick);
  time_it("dense hits", repeated(kDense, size), detector, quick);
  for (const char* piece : {"1",
                            "4 ",
                            "01 ",
                            "+1(",
                            "a@",
                            "a.",
                            "a:",
                            "1:",
                            "::",
                            "DE89",
                            "mrn 1-",
                            "tel 1 ",
                            "call ",
                            "-----BEGIN ",
                            "AKIA-",
                            "password:",
                            "s-",
                            "born 1 ",
                            "4111 1111 1111 ",
                            "5-",
                            "1-",
                            "1.1.",
                            "DE 89 ",
                            "=",
                            "a=",
                            "pwd:<",
                            "bearer-",
                            "aB3",
                            "\u0435x ",
                            "\u200b1"}) {
    time_it((std::string("hostile \"") + piece + "\"").c_str(), repeated(piece, size), detector, quick);
  }
}

/// All by one method on the same texts: what they give back, and how long they take for it.
void compare_redactors(const TextDetector& structured, const TextDetector& all, const std::vector<Message>& labelled,
                       const std::vector<Message>& plain, const std::string& peers, bool quick) {
  using namespace hearth::bench;
  RedactionTexts texts;
  for (const Message& message : labelled) {
    texts.labelled.push_back(message.text);
    for (const Label& label : message.labels) {
      if (std::any_of(kStructured.begin(), kStructured.end(),
                      [&](Detected type) { return hearth::policies::name_of(type) == label.type; }))
        texts.values.push_back({texts.labelled.size() - 1, message.text.substr(label.begin, label.end - label.begin)});
    }
  }
  for (const Message& message : plain) texts.plain.push_back(message.text);
  if (texts.labelled.empty()) return;
  std::printf("redactors: %zu labelled messages, %zu values of structured types; found: gone from what is given back\n",
              texts.labelled.size(), texts.values.size());
  const int rounds = quick ? 2 : 7;
  print_redactor("hearth, structured types", redact_here(structured, texts, rounds), texts);
  print_redactor("hearth, names and places too", redact_here(all, texts, rounds), texts);
  for (const std::string name : {"redact-pii", "@redactpii/node", "openredaction"}) {
    if (quick && name == "openredaction") continue;
    print_redactor(name, redact_with_peer(peers, name, texts, quick ? 2 : 3), texts);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Detection: recall, precision and speed.\nexample: bench_detect --data ../shared/data");
  std::string data = "../shared/data";
  std::string peers = "build/peers";
  bool quick = false;
  bool show = false;
  app.add_option("--data", data, "folder with pii/dev.jsonl and banking77/test.csv");
  app.add_option("--peers", peers, "folder where bench/peers/install put the npm packages");
  app.add_flag("--quick", quick, "short: fewer bytes and rounds, without the slowest peer");
  app.add_flag("--show", show, "print each miss of the labelled text");
  CLI11_PARSE(app, argc, argv);

  const TextDetector detector({}, std::size_t{64} << 20);
  const TextDetector structured({}, std::size_t{64} << 20, false);  // without names and places
  const auto labelled = read_labelled(data + "/pii/dev.jsonl");
  const auto plain = read_csv(data + "/banking77/test.csv");
  if (labelled.empty()) {
    std::printf("no labelled text in %s/pii: recall is not measured\n", data.c_str());
  } else {
    std::printf("labelled text, %zu messages, spans by overlap:\n", labelled.size());
    score(detector, labelled, show);
  }
  count_plain_hits(structured, plain, show);
  measure_speed(structured, labelled, plain, quick);
  compare_redactors(structured, detector, labelled, plain, peers, quick);
  return 0;
}
