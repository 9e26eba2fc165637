#include "tools/simulate/record_writer.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/hearth/json_lines.h"

namespace hearth::simulate {
namespace {

std::vector<std::string> quoted(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const auto& name : names) all.push_back(nlohmann::json(name).dump());
  return all;
}

void put_number(std::string& out, auto value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

/// Milliseconds with as many of six decimals as say something.
void put_ms(std::string& out, Duration value) {
  std::uint64_t ns = static_cast<std::uint64_t>(std::abs(value.count()));
  if (value.count() < 0) out += '-';
  put_number(out, ns / 1'000'000);
  ns %= 1'000'000;
  if (ns == 0) return;
  std::array<char, 7> digits = {'.'};
  for (std::size_t i = 6; i > 0; --i, ns /= 10) digits[i] = static_cast<char>('0' + ns % 10);
  std::size_t length = digits.size();
  while (digits[length - 1] == '0') --length;
  out.append(digits.data(), length);
}

void put_real(std::string& out, double value) {
  if (value == 0) {
    out += '0';
  } else {
    put_number(out, value);
  }
}

const char* word(bool value) { return value ? "true" : "false"; }

void put_road(std::string& out, const Road& road) {
  out.append(R"({"open":)").append(word(road.open)).append(R"(,"latency_ms":)");
  put_ms(out, road.latency);
  out.append(R"(,"correct":)").append(word(road.correct)).append(R"(,"usd":)");
  put_real(out, road.usd);
  out += R"(,"joules":)";
  put_real(out, road.joules);
  out += '}';
}

}  // namespace

RecordLine::RecordLine(const Names& names)
    : models_(quoted(names.models)),
      streams_(quoted(names.streams)),
      classes_(quoted(names.classes)),
      sites_(quoted(names.endpoints)),
      rules_(quoted(names.rules)) {
  sites_.insert(sites_.begin(), "\"edge\"");
}

std::string_view RecordLine::of(const Record& record) {
  std::string& out = line_;
  out.clear();
  const auto key = [&out](const char* name) -> std::string& { return out.append(",\"").append(name).append("\":"); };
  const auto rule = [&](std::uint16_t index) { return index < rules_.size() ? rules_[index].c_str() : "null"; };
  put_number(out += R"({"id":)", record.id);
  put_ms(key("at_ms"), record.arrived.time_since_epoch());
  put_number(key("device"), record.device);
  key("stream") += streams_[record.stream];
  key("model") += models_[record.model];
  key("class") += classes_[record.data_class];
  key("may_use") += '[';
  for (std::size_t site = 0; site < sites_.size(); ++site) {
    if (!record.mask.has(static_cast<SiteId>(site))) continue;
    if (out.back() != '[') out += ',';
    out += sites_[site];
  }
  out += ']';
  key("permit_rule") += rule(record.permit_rule);
  key("plan").append(1, '"').append(name_of(record.plan)) += '"';
  key("prefer_rule") += rule(record.prefer_rule);
  key("status").append(1, '"').append(name_of(record.status)) += '"';
  key("reason").append(1, '"').append(name_of(record.reason)) += '"';
  key("served_on") += record.status == OutcomeStatus::kServed ? sites_[record.answered_by].c_str() : "null";
  put_ms(key("latency_ms"), record.latency);
  put_ms(key("deadline_ms"), record.deadline);
  key("in_time") += word(record.in_time);
  key("correct") += word(record.correct);
  if (record.confidence == 0) {
    key("confidence") += '0';
  } else {
    put_number(key("confidence"), record.confidence);
  }
  put_number(key("attempts"), static_cast<unsigned>(record.attempts));
  put_number(key("bytes_up"), record.bytes_up);
  put_real(key("usd"), record.usd);
  put_real(key("joules"), record.joules);
  put_ms(key("edge_wait_ms"), record.edge_wait);
  put_ms(key("edge_time_ms"), record.edge_time);
  put_ms(key("cloud_began_ms"), record.cloud_began);
  put_ms(key("cloud_time_ms"), record.cloud_time);
  put_ms(key("up_time_ms"), record.up_time);
  put_ms(key("server_wait_ms"), record.server_wait);
  put_ms(key("server_time_ms"), record.server_time);
  put_road(key("edge_road"), record.edge);
  put_road(key("cloud_road"), record.cloud);
  out += '}';
  return out;
}

struct RecordWriter::File {
  tool::LineWriter lines;
};

RecordWriter::RecordWriter(std::unique_ptr<File> file, const Names& names, std::uint64_t requests_max)
    : file_(std::move(file)), line_(names), room_(requests_max) {}

RecordWriter::~RecordWriter() = default;

Result<std::unique_ptr<RecordWriter>> RecordWriter::open(const std::string& file, const Names& names,
                                                         std::uint64_t requests_max) {
  auto lines = tool::LineWriter::open(file);
  if (!lines.ok()) return lines.error();
  auto opened = std::unique_ptr<File>(new File{std::move(lines).value()});
  return std::unique_ptr<RecordWriter>(new RecordWriter(std::move(opened), names, requests_max));
}

void RecordWriter::take(const Record& record) {
  if (room_ == 0) {
    ++left_out_;
    return;
  }
  --room_;
  file_->lines.write(line_.of(record));
}

Status RecordWriter::publish() { return file_->lines.publish(); }

}  // namespace hearth::simulate
