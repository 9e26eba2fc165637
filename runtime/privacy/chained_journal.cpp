#include "runtime/privacy/chained_journal.h"

#include <algorithm>
#include <utility>

namespace hearth::privacy {

ChainedJournal::ChainedJournal(EventLoop& loop, std::shared_ptr<SegmentedJournal> inner, Result<std::string> key,
                               Bounds bounds)
    : loop_(loop),
      inner_(std::move(inner)),
      bounds_(bounds),
      started_wall_(loop.wall_now()),
      started_(loop.now()),
      broken_(key.ok() ? Status(Done{}) : Status(key.error())),
      fold_(bounds.sessions_max),
      segment_bytes_max_(bounds.segment_bytes) {
  if (!key.ok()) return;
  chain_.emplace(key.value());
  payload_key_ = derived_key(key.value(), "hearth payload 1");
}

Result<std::vector<std::string>> ChainedJournal::replay() {
  auto lines = inner_->replay();
  if (broken_.ok() && !lines.ok()) broken_ = lines.error();
  std::vector<std::string> records;
  if (broken_.ok()) broken_ = take_in(lines.value(), records);
  if (!broken_.ok()) return broken_.error();
  return records;
}

Status ChainedJournal::take_in(const std::vector<std::string>& lines, std::vector<std::string>& records) {
  for (const auto& line : lines) {
    auto record = chain_->open(line);
    if (!record.ok()) return record.error();
    if (auto status = fold_.take(record.value()); !status.ok()) return status;
    segment_bytes_ += line.size() + 1;
    if (records.empty()) segment_bytes_max_ = std::max(bounds_.segment_bytes, 2 * segment_bytes_);
    records.push_back(std::move(record).value());
  }
  if (!lines.empty()) return Done{};
  auto first = chain_->seal_state(state_record(), {1});
  if (!first.ok()) return first.error();
  segment_bytes_ = first.value().size() + 1;
  inner_->append(std::move(first).value(), Durability::kSynced, [](Status) {});  // if it fails, so does the next one
  return Done{};
}

/// By the later clock, so that what a restart finds is not dated before it; taint goes by the earlier one, so that a
/// clock set forward for a while ends none.
std::string ChainedJournal::state_record() const {
  const WallTime wall = loop_.wall_now();
  const WallTime steady = started_wall_ + std::chrono::floor<std::chrono::seconds>(loop_.now() - started_);
  return fold_.state_record(std::max(wall, steady), std::min(wall, steady));
}

Status ChainedJournal::begin_segment() {
  auto segments = chain_->segments();
  segments.push_back(chain_->next_seq());
  if (segments.size() > bounds_.segments_max)
    segments.erase(segments.begin(), segments.end() - static_cast<std::ptrdiff_t>(bounds_.segments_max));
  auto sealed = chain_->seal_state(state_record(), segments);
  if (!sealed.ok()) return sealed.error();
  segment_bytes_ = sealed.value().size() + 1;
  segment_bytes_max_ = std::max(bounds_.segment_bytes, 2 * segment_bytes_);
  inner_->begin_segment(std::move(sealed).value(), segments.size(), [](Status) {});  // as above
  return Done{};
}

void ChainedJournal::append(std::string record, Durability durability, Callback recorded) {
  constexpr std::size_t kSealBytes = 128;
  if (broken_.ok() && segment_bytes_ + record.size() + kSealBytes > segment_bytes_max_) broken_ = begin_segment();
  if (broken_.ok()) broken_ = fold_.take(record);
  Result<std::string> sealed = broken_.ok() ? chain_->seal(std::move(record)) : Result<std::string>(broken_.error());
  if (!sealed.ok()) {
    broken_ = sealed.error();
    loop_.post([recorded = std::move(recorded), status = broken_] { recorded(status); });
    return;
  }
  segment_bytes_ += sealed.value().size() + 1;
  inner_->append(std::move(sealed).value(), durability, std::move(recorded));
}

std::string ChainedJournal::keyed_digest(std::string_view bytes) const {
  if (payload_key_.empty()) return {};
  const auto digest = hmac_sha256(payload_key_, bytes);
  return digest ? hex_of(*digest) : std::string();
}

}  // namespace hearth::privacy
