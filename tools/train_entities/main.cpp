// hearth-train-entities: trains the model that finds names, places and addresses, and measures it.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"
#include "runtime/privacy/entity_model.h"
#include "tools/train_entities/corpus.h"
#include "tools/train_entities/crf.h"

namespace {

using namespace hearth;
using namespace hearth::train_entities;

struct Options {
  std::string folder = "build/train_entities", out = "runtime/privacy/models/entities.bin";
  std::string measure = "../shared/data/pii/dev.jsonl", plain = "../shared/data/banking77/test.csv", model, show;
  unsigned row_bits = 15, passes = 6;
  std::uint64_t seed = 1;
  float rate = 0.1f, decay = 1e-5f, caution = 0;
};

int fail(const Error& error) {
  std::cerr << "hearth-train-entities: " << error.message << "\n";
  return error.code == ErrorCode::kInternal ? 3 : 2;
}

Result<std::vector<ListedWord>> read_words(const std::string& file) {
  auto bytes = read_whole_file(file, std::uint64_t{1} << 28);
  if (!bytes.ok()) return bytes.error();
  std::vector<ListedWord> words;
  std::istringstream lines(std::move(bytes).value());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      return {ErrorCode::kInvalidArgument,
              file + ":" + std::to_string(words.size() + 1) + ": expected a word, a tab and a number"};
    }
    words.push_back({line.substr(0, tab), static_cast<std::uint8_t>(std::atoi(line.c_str() + tab + 1) & 0xf)});
  }
  return words;
}

void print(const char* title, const privacy::EntityModel& model, const std::vector<LabelledText>& texts) {
  std::printf("%s: %zu texts\n", title, texts.size());
  const auto tallies = tally(model, texts);
  for (std::size_t k = 0; k < kTypes.size(); ++k) {
    const Tally& t = tallies[k];
    std::printf("  %-8s recall %.3f (%zu/%zu)  precision %.3f (%zu/%zu)  exact %.3f\n", kTypes[k], t.recall(),
                t.labels_found, t.labels, t.precision(), t.spans_right, t.spans,
                t.labels == 0 ? 0.0 : double(t.exact) / double(t.labels));
  }
}

/// How many of a CSV file's texts have a hit; the texts hold no names.
int count_hits(const std::string& file, bool show, const privacy::EntityModel& model) {
  const auto bytes = read_whole_file(file, std::uint64_t{1} << 28);
  if (!bytes.ok()) return fail(bytes.error());
  std::istringstream lines(bytes.value());
  std::vector<privacy::Span> spans;
  std::size_t texts = 0, hit = 0, persons = 0;
  for (std::string line; std::getline(lines, line); ++texts) {
    spans.clear();
    model.find(line.substr(0, line.rfind(',')), spans);
    hit += !spans.empty();
    persons += std::any_of(spans.begin(), spans.end(), [](const auto& s) {
      return s.slot == static_cast<std::uint8_t>(policies::Detected::kPerson);
    });
    if (show) {
      for (const auto& s : spans)
        std::cout << policies::name_of(static_cast<policies::Detected>(s.slot)) << "="
                  << line.substr(s.begin, s.end - s.begin) << " | " << line << "\n";
    }
  }
  std::printf("plain: %zu texts, %zu with a hit, %zu with a PERSON\n", texts, hit, persons);
  return 0;
}

int measure(const Options& options, const std::string& bytes) {
  const auto model = privacy::EntityModel::load(bytes);
  if (!model.ok()) return fail(model.error());
  if (!options.plain.empty()) {
    if (const int code = count_hits(options.plain, options.show == "plain", model.value()); code != 0) return code;
  }
  if (options.measure.empty()) return 0;
  const auto texts = read_texts(options.measure);
  if (!texts.ok()) return fail(texts.error());
  std::vector<LabelledText> tuning, held_out;
  for (const LabelledText& text : texts.value()) (in_held_out_half(text) ? held_out : tuning).push_back(text);
  print("half looked at while tuning", model.value(), tuning);
  print("held-out half", model.value(), held_out);
  if (options.show.empty() || options.show == "plain") return 0;
  std::vector<privacy::Span> spans;
  for (const LabelledText& text : options.show == "held-out" ? held_out : tuning) {
    spans.clear();
    model.value().find(text.text, spans);
    std::cout << nlohmann::json{{"text", text.text}}.dump() << "\n  labels:";
    for (const Label& l : text.labels) std::cout << " " << l.type << "=" << text.text.substr(l.begin, l.end - l.begin);
    std::cout << "\n  found:";
    for (const auto& s : spans)
      std::cout << " " << policies::name_of(static_cast<policies::Detected>(s.slot)) << "="
                << text.text.substr(s.begin, s.end - s.begin);
    std::cout << "\n";
  }
  return 0;
}

Result<std::string> train(const Options& options) {
  const auto words = read_words(options.folder + "/words.tsv");
  if (!words.ok()) return words.error();
  // Nine slots in ten are taken at most.
  std::size_t buckets = words.value().size() * 10 / 9 / privacy::WordLists::kBucketSlots;
  std::string lists = hashed_lists(words.value(), buckets);
  while (lists.empty()) lists = hashed_lists(words.value(), buckets += buckets / 20);
  const auto texts = read_texts(options.folder + "/texts.jsonl");
  if (!texts.ok()) return texts.error();
  std::vector<TaggedText> examples;
  for (const LabelledText& text : texts.value()) examples.push_back(tagged(text, privacy::WordLists(lists)));
  Crf crf(options.row_bits);
  RandomStream random(options.seed, "train-entities");
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  for (unsigned pass = 0; pass < options.passes; ++pass) {
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
    double loss = 0;
    const float rate = options.rate * (1 - 0.9f * float(pass) / float(options.passes));
    for (const std::size_t i : order)
      loss += crf.learn(with_gaps(examples[i], random, options.row_bits), rate, options.decay);
    std::fprintf(stderr, "pass %u of %u: loss %.4f a text\n", pass + 1, options.passes, loss / double(order.size()));
  }
  return crf.quantized(lists, options.caution);
}

int run(const Options& options) {
  if (!options.model.empty()) {
    const auto bytes = read_whole_file(options.model, std::uint64_t{1} << 28);
    return bytes.ok() ? measure(options, bytes.value()) : fail(bytes.error());
  }
  const auto bytes = train(options);
  if (!bytes.ok()) return fail(bytes.error());
  std::ofstream file(options.out, std::ios::binary);
  if (!(file << bytes.value()).flush()) return fail({ErrorCode::kInvalidArgument, options.out + ": cannot be written"});
  std::printf("%s: %zu bytes\n", options.out.c_str(), bytes.value().size());
  return measure(options, bytes.value());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Trains the model that finds person names, places and addresses, and measures it."};
  app.footer(
      "Example: hearth-train-entities\n         hearth-train-entities --model runtime/privacy/models/entities.bin\n"
      "tools/train_entities/README.md tells what to run before. Exit codes: 0 done, 2 bad input, 3 failed.");
  app.add_option("--folder", options.folder, "Where make_texts.py left texts.jsonl and words.tsv")
      ->capture_default_str();
  app.add_option("--out", options.out, "The model file")->capture_default_str();
  app.add_option("--measure", options.measure, "Labelled texts to measure on; '' for none")->capture_default_str();
  app.add_option("--plain", options.plain, "CSV of texts without names, to count false hits; '' for none")
      ->capture_default_str();
  app.add_option("--model", options.model, "Measure this model, do not train");
  app.add_option("--show", options.show,
                 "Print what was found in one half (tuning or held-out) or in the plain texts (plain)")
      ->check(CLI::IsMember({"tuning", "held-out", "plain"}));
  app.add_option("--passes", options.passes, "Passes over the texts")->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--row-bits", options.row_bits, "Rows of weights, as a power of two")
      ->check(CLI::Range(10, 18))
      ->capture_default_str();
  app.add_option("--rate", options.rate, "First step size")->capture_default_str();
  app.add_option("--decay", options.decay, "Pull of weights towards zero")->capture_default_str();
  app.add_option("--caution", options.caution, "Log odds against every span")->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
  return run(options);
}
