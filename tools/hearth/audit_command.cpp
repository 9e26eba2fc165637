#include "tools/hearth/audit_command.h"

#include <charconv>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"
#include "tools/hearth/audit_question.h"
#include "tools/hearth/audit_reading.h"
#include "tools/hearth/command.h"

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string log;
  std::string key;
  std::string head;
  std::string never;
  std::string region;
  std::string endpoint;
  std::string since;
  bool json = false;

  std::string key_file() const { return key.empty() ? log + ".key" : key; }
};

int refuse(const std::string& message) {
  std::cerr << "hearth audit: " << message << '\n';
  return kExitBadInput;
}

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The first line of the file; nothing when no file was given.
Result<std::optional<std::string>> head_line(const std::string& file) {
  if (file.empty()) return std::optional<std::string>();
  auto text = read_whole_file(file, 4096);
  if (!text.ok()) return text.error();
  return std::optional(text.value().substr(0, text.value().find('\n')));
}

Json facts_of(const AuditReading& reading) {
  Json facts = {{"records", reading.records},
                {"first_record", reading.chain.first_seq()},
                {"last_record", reading.chain.head().count},
                {"begins_at_s", reading.begins_at_s},
                {"segments", reading.segments},
                {"torn_bytes", reading.torn_bytes},
                {"could_not_keep_a_record", reading.could_not_keep}};
  if (!reading.holds()) facts["problem"] = reading.problem;
  return facts;
}

void print_notes(const AuditReading& reading) {
  if (reading.torn_bytes > 0)
    std::cout << "note: the last line is torn (" << reading.torn_bytes
              << " bytes): a crash cut it off before it counted\n";
  if (reading.could_not_keep)
    std::cout << "note: the log is marked: a record could not be kept, and nothing left the device after it\n";
}

int verify(const Flags& flags) {
  const auto head = head_line(flags.head);
  if (!head.ok()) return refuse(head.error().message);
  const auto reading =
      read_audit_log(flags.log, flags.key_file(), head.value(), [](const std::string&, std::uint64_t) {});
  if (!reading.ok()) return refuse(reading.error().message);
  if (flags.json) {
    Json answer = {{"holds", reading->holds()}, {"tail_checked", head.value().has_value()}};
    answer.update(facts_of(reading.value()));
    std::cout << answer.dump() << '\n';
  } else if (!reading->holds()) {
    std::cout << "does not hold: " << reading->problem << '\n';
  } else {
    std::cout << "holds: " << reading->records << " records, " << reading->chain.first_seq() << " to "
              << reading->chain.head().count << ", in " << reading->segments << " file(s)";
    if (reading->records > 0) std::cout << ", from " << utc_text(reading->begins_at_s);
    std::cout << '\n';
    print_notes(reading.value());
    if (!head.value()) std::cout << "note: without --head a tail that was cut off cannot be seen\n";
  }
  return reading->holds() ? kExitOk : kExitNo;
}

int head(const Flags& flags) {
  const auto reading = read_audit_log(flags.log, flags.key_file(), {}, [](const std::string&, std::uint64_t) {});
  if (!reading.ok()) return refuse(reading.error().message);
  if (!reading->holds()) {
    std::cerr << "hearth audit: the log does not hold, so its head is not signed: " << reading->problem << '\n';
    return kExitNo;
  }
  const auto line = reading->chain.signed_head();
  if (!line.ok()) {
    std::cerr << "hearth audit: " << line.error().message << '\n';
    return kExitFailed;
  }
  std::cout << line.value() << '\n';
  return kExitOk;
}

/// "90d", "24h", "30m", "10s".
std::optional<std::int64_t> seconds_from(const std::string& text) {
  std::int64_t count = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || stop + 1 != text.data() + text.size() || count < 1 || count > 100'000) return {};
  switch (*stop) {
    case 'd':
      return count * 86'400;
    case 'h':
      return count * 3600;
    case 'm':
      return count * 60;
    case 's':
      return count;
    default:
      return {};
  }
}

/// Why the log cannot speak for the time since then; empty when it can.
std::string reach_problem(const AuditReading& reading, std::int64_t since_s) {
  if (since_s == 0 || (reading.records > 0 && reading.begins_at_s <= since_s)) return {};
  if (reading.records == 0) return "the log is empty";
  return "the log reaches back to " + utc_text(reading.begins_at_s) + ", not to " + utc_text(since_s) +
         (reading.chain.first_seq() == 1 ? ": it was begun then" : ": older records were rotated away");
}

void print_proof(const AuditQuestion& question, const AuditReading& reading, const std::string& reach) {
  const auto& offenders = question.offenders();
  if (!reading.holds()) {
    std::cout << "cannot be answered: the log does not hold: " << reading.problem << '\n';
    return;
  }
  if (!offenders.empty()) {
    std::cout << "does not hold: " << offenders.size() << " of " << question.looked_at() << " egress records are of "
              << question.text() << ": records";
    std::size_t shown = 0;
    for (const auto seq : offenders) {
      if (++shown > 20) break;
      std::cout << ' ' << seq;
    }
    std::cout << (offenders.size() > 20 ? " ...\n" : "\n");
  }
  if (!reach.empty()) std::cout << "does not hold: " << reach << '\n';
  if (offenders.empty() && reach.empty())
    std::cout << "holds: none of " << question.looked_at() << " egress records is of " << question.text()
              << "; the log reaches back to " << utc_text(reading.begins_at_s) << '\n';
  for (const auto& name : question.never_seen())
    std::cout << "note: no record of this log names " << name << ": is it spelled right?\n";
  print_notes(reading);
}

int prove(const Flags& flags) {
  auto question = AuditQuestion::parse(flags.never);
  if (!question.ok()) return refuse(question.error().message);
  if (!flags.region.empty()) question->also("region", flags.region);
  if (!flags.endpoint.empty()) question->also("endpoint", flags.endpoint);
  std::int64_t since_s = 0;
  if (!flags.since.empty()) {
    const auto seconds = seconds_from(flags.since);
    if (!seconds)
      return refuse("--since: expected a number from 1 to 100000 and d, h, m or s, as in 90d; got \"" + flags.since +
                    "\"");
    since_s = now_s() - *seconds;
    question->since(since_s);
  }
  const auto head = head_line(flags.head);
  if (!head.ok()) return refuse(head.error().message);
  const auto reading =
      read_audit_log(flags.log, flags.key_file(), head.value(),
                     [&](const std::string& record, std::uint64_t seq) { question->take(record, seq); });
  if (!reading.ok()) return refuse(reading.error().message);
  const std::string reach = reach_problem(reading.value(), since_s);
  const bool holds = reading->holds() && reach.empty() && question->offenders().empty();
  if (flags.json) {
    Json answer = {{"holds", holds},
                   {"never", question->text()},
                   {"looked_at", question->looked_at()},
                   {"offenders", question->offenders()},
                   {"never_seen", question->never_seen()},
                   {"tail_checked", head.value().has_value()}};
    if (!reach.empty()) answer["reach_problem"] = reach;
    answer.update(facts_of(reading.value()));
    std::cout << answer.dump() << '\n';
  } else {
    print_proof(question.value(), reading.value(), reach);
  }
  return holds ? kExitOk : kExitNo;
}

}  // namespace

int audit_main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Checks the audit log that a runtime writes to its journal, and answers from it. It never changes it.",
               "hearth audit");
  app.footer(std::string("Example: hearth audit prove state/journal --never \"class=phi\" --region us --since 90d\n") +
             kExitCodes);
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* what) {
    auto* command = app.add_subcommand(name, what);
    command->add_option("LOG", flags.log, "The journal file of the runtime")->required();
    command->add_option("--key", flags.key, "The device's key (default: LOG.key)");
    return command;
  };
  auto* verify_command = add("verify", "Finds any record that was changed, removed, inserted or reordered");
  verify_command->footer("Example: hearth audit verify state/journal --head elsewhere/head.json");
  auto* head_command = add("head", "Prints the log's signed head, to be kept where the log is not");
  head_command->footer("Example: hearth audit head state/journal > elsewhere/head.json");
  auto* prove_command = add("prove", "Says whether anything of a kind ever left the device");
  prove_command->footer("Example: hearth audit prove state/journal --never \"class=phi & detected.MRN>0\" --since 90d");
  for (auto* command : {verify_command, prove_command}) {
    command->add_option("--head", flags.head, "A head kept from before: shows a tail that was cut off");
    command->add_flag("--json", flags.json, "Print one JSON object");
  }
  head_command->add_flag("--json", flags.json, "As without it: a head is one JSON object");
  prove_command
      ->add_option("--never", flags.never, "class=, model=, label=, region=, endpoint=, detected.TYPE>0, joined by &")
      ->required();
  prove_command->add_option("--region", flags.region, "Only what went to this region");
  prove_command->add_option("--endpoint", flags.endpoint, "Only what went to this endpoint");
  prove_command->add_option(
      "--since", flags.since,
      "Only the last so many days, hours, minutes or seconds, as 90d; the log must reach back as far");
  if (const auto code = parse_flags(app, argc, argv)) return *code;
  if (verify_command->parsed()) return verify(flags);
  return head_command->parsed() ? head(flags) : prove(flags);
}

}  // namespace hearth::tool
