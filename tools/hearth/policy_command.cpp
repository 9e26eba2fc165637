#include "tools/hearth/policy_command.h"

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/compiled.h"
#include "policies/explain.h"
#include "policies/lint.h"
#include "policies/prove.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/command.h"
#include "tools/hearth/policy_text.h"

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;
using policies::Policy;
using policies::Verdict;
using Loaded = std::shared_ptr<const Policy>;

struct Options {
  std::string file;
  std::string other;
  std::string request;
  std::string never;
  std::string always;
  std::string implies;
  bool json = false;
};

int complain(const Error& error) {
  std::cerr << error.message << '\n';
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitBadInput;
}

void print(const Json& json) { std::cout << json.dump(2) << '\n'; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

int check(const Options& options) {
  const auto policy = Policy::load_file(options.file);
  if (!policy.ok()) {
    if (options.json)
      print({{"holds", false}, {"errors", lines_of(policy.error().message)}, {"warnings", Json::array()}});
    return complain(policy.error());
  }
  const auto warnings = policies::lint(**policy);
  if (options.json) {
    print({{"holds", warnings.empty()}, {"errors", Json::array()}, {"warnings", warnings}});
  } else {
    for (const auto& warning : warnings) std::cout << warning << '\n';
    const auto& compiled = (*policy)->compiled();
    if (warnings.empty()) {
      std::cout << options.file << ": nothing found in " << compiled.classes.size() << " classes, "
                << compiled.classify.size() + compiled.forbid.size() + compiled.prefer.size() << " rules\n";
    }
  }
  return warnings.empty() ? kExitOk : kExitNo;
}

int test(const Options& options) {
  const auto policy = Policy::load_file(options.file);
  if (!policy.ok()) return complain(policy.error());
  const auto report = (*policy)->test_report();
  if (options.json) {
    print({{"holds", report.failures.empty()},
           {"tests", (*policy)->test_count()},
           {"failures", report.failures},
           {"rules_not_reached", report.not_reached}});
  } else {
    for (const auto& failure : report.failures) std::cout << failure << '\n';
    std::cout << options.file << ": " << (*policy)->test_count() << " tests, " << report.failures.size()
              << " expectations failed\n";
    for (const auto& rule : report.not_reached) std::cout << "no test reaches rule \"" << rule << "\"\n";
  }
  return report.failures.empty() ? kExitOk : kExitNo;
}

int explain(const Options& options) {
  const auto policy = Policy::load_file(options.file);
  if (!policy.ok()) return complain(policy.error());
  const auto request = read_whole_file(options.request, JsonDocument::kSizeMaxBytes);
  if (!request.ok()) return complain(request.error());
  const auto told = policies::explain(**policy, *request, options.request);
  if (!told.ok()) return complain(told.error());
  const Json json = Json::parse(*told);
  options.json ? print(json) : print_explanation(std::cout, json);
  return kExitOk;
}

int diff(const Options& options) {
  const auto a = Policy::load_file(options.file);
  if (!a.ok()) return complain(a.error());
  const auto b = Policy::load_file(options.other);
  if (!b.ok()) return complain(b.error());
  const auto found = policies::diff(**a, **b);
  if (!found.ok()) return complain(found.error());
  Json list = Json::array();
  for (const auto& one : found->differences)
    list.push_back({{"what", one.what}, {"witness", Json::parse(one.witness.as_json())}});
  const bool equivalent = found->verdict == Verdict::kProved;
  const char* const answer = equivalent ? "equivalent" : list.empty() ? "unknown" : "different";
  if (options.json) {
    print({{"answer", answer}, {"differences", list}});
  } else {
    std::cout << answer << '\n';
    for (const auto& one : list) {
      std::cout << one["what"].get<std::string>() << ", for example:\n  " << one["witness"].dump() << '\n';
    }
  }
  return equivalent ? kExitOk : kExitNo;
}

const char* word_of(Verdict verdict) {
  return verdict == Verdict::kProved ? "proved" : verdict == Verdict::kRefuted ? "refuted" : "unknown";
}

/// One question and its answer.
struct Asked {
  std::string kind;
  std::string query;
  std::string name;  ///< Of a property in the file.
};

Result<policies::Proof> answer(const Asked& asked, const Policy& policy, const Policy* other) {
  if (asked.kind == "never") return policies::prove_never(policy, asked.query);
  if (asked.kind == "always") return policies::prove_always(policy, asked.query);
  return policies::prove_implies(policy, *other);
}

int prove(const Options& options) {
  const auto policy = Policy::load_file(options.file);
  if (!policy.ok()) return complain(policy.error());
  Loaded other;
  std::vector<Asked> questions;
  if (!options.never.empty()) questions.push_back({"never", options.never, ""});
  if (!options.always.empty()) questions.push_back({"always", options.always, ""});
  if (!options.implies.empty()) {
    auto loaded = Policy::load_file(options.implies);
    if (!loaded.ok()) return complain(loaded.error());
    other = *loaded;
    questions.push_back({"implies", options.implies, ""});
  }
  if (questions.empty()) {
    for (const auto& property : (*policy)->compiled().properties)
      questions.push_back({property.never ? "never" : "always", property.query, property.name});
    if (questions.empty())
      return complain(
          {ErrorCode::kInvalidArgument, options.file + ": has no properties; ask with --never, --always or --implies"});
  }
  Json answers = Json::array();
  bool all = true;
  for (const auto& asked : questions) {
    const auto began = std::chrono::steady_clock::now();
    const auto proof = answer(asked, **policy, other.get());
    if (!proof.ok()) return complain(proof.error());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    all = all && proof->verdict == Verdict::kProved;
    Json one = {{"kind", asked.kind},
                {"query", asked.query},
                {"answer", word_of(proof->verdict)},
                {"took_ms", took.count()},
                {"boxes", proof->boxes}};
    if (!asked.name.empty()) one["name"] = asked.name;
    if (proof->witness) one["counterexample"] = Json::parse(proof->witness->as_json());
    answers.push_back(std::move(one));
  }
  if (options.json) {
    print({{"holds", all}, {"answers", answers}});
  } else {
    for (const auto& one : answers) print_answer(std::cout, one);
  }
  return all ? kExitOk : kExitNo;
}

CLI::App* add(CLI::App& app, const char* name, const char* what, const char* example, Options& options) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer(std::string("Example: ") + example + "\n" + kExitCodes);
  command->add_option("FILE", options.file, "Policy file")->required();
  command->add_flag("--json", options.json, "Print JSON, and nothing else, on standard output");
  return command;
}

}  // namespace

int policy_main(int argc, char** argv) {
  CLI::App app{"hearth policy: check, test, explain, compare and prove policy files.", "hearth policy"};
  app.require_subcommand(1);
  app.footer(std::string("Example: hearth policy prove clinic.json --never \"class=phi -> cloud\"\n") + kExitCodes);
  Options options;
  CLI::App* checked = add(app, "check", "Every mistake, and what a correct file may not mean",
                          "hearth policy check configs/policies/clinic.json", options);
  CLI::App* tested = add(app, "test", "Run the tests in the file; tell which rules none of them reaches",
                         "hearth policy test configs/policies/clinic.json", options);
  CLI::App* explained = add(app, "explain", "Decide one request, rule by rule",
                            "hearth policy explain clinic.json --request request.json", options);
  explained
      ->add_option("--request", options.request,
                   "JSON as in the file's tests: {\"request\": {...}, \"endpoints\": [...]}")
      ->required();
  CLI::App* compared = add(app, "diff", "Requests that two policies treat differently, or \"equivalent\"",
                           "hearth policy diff old.json new.json", options);
  compared->add_option("OTHER", options.other, "The other policy file")->required();
  CLI::App* proved =
      add(app, "prove", "Prove over every input, or show one for which it does not hold",
          "hearth policy prove clinic.json --never \"detected.MRN>0 & consent=absent -> cloud:us\"", options);
  proved->add_option("--never", options.never, "CONDITIONS -> TARGET: no such input may use the target");
  proved->add_option("--always", options.always, "CONDITIONS -> TARGET: every such input may use the target");
  proved->add_option("--implies", options.implies, "Policy file that permits all that FILE permits");
  if (const auto code = parse_flags(app, argc, argv)) return *code;
  if (checked->parsed()) return check(options);
  if (tested->parsed()) return test(options);
  if (explained->parsed()) return explain(options);
  if (compared->parsed()) return diff(options);
  return prove(options);
}

}  // namespace hearth::tool
