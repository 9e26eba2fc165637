#include "runtime/privacy/redactor.h"

#include <algorithm>
#include <exception>
#include <unordered_map>

#include "runtime/base/digest.h"

namespace hearth::privacy {
namespace {

constexpr std::size_t kTokenLength = 12;
constexpr std::size_t kTypeMax = 64;  ///< As policies allow.
constexpr std::size_t kPlaceholderMax = kTypeMax + kTokenLength + 3;
constexpr std::uint8_t kTextSlot = policies::kDetectorSlots;
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648, section 6, in lower case

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool in_type(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Where what looks like a placeholder ends, whoever made it; 0 when nothing at `at` does.
std::size_t look_alike_end(std::string_view text, std::size_t at) {
  if (text[at] != '[') return 0;
  const std::size_t close = text.substr(0, at + kPlaceholderMax).find(']', at);
  if (close == std::string_view::npos || close - at < kTokenLength + 3) return 0;
  const std::size_t token = close - kTokenLength;
  const auto type = text.substr(at + 1, token - at - 2);
  const bool fits = text[token - 1] == '_' && std::all_of(type.begin(), type.end(), in_type) &&
                    text.substr(token, kTokenLength).find_first_not_of(kBase32) == std::string_view::npos;
  return fits ? close + 1 : 0;
}

void add_look_alikes(std::string_view text, std::vector<Span>& cuts) {
  for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at + 1)) {
    if (const std::size_t end = look_alike_end(text, at)) cuts.push_back({at, end, kTextSlot});
  }
}

/// Values in the text that no span names are of the type of the first span with that value.
void add_repeats(std::string_view text, const std::vector<Span>& spans, const std::vector<std::string_view>& values,
                 const Originals& originals, std::vector<Span>& cuts) {
  std::vector<std::uint8_t> slots(values.size(), kTextSlot);
  const auto index_of = [&](std::string_view value) {
    return static_cast<std::size_t>(std::lower_bound(values.begin(), values.end(), value) - values.begin());
  };
  for (const Span& span : spans) {
    auto& slot = slots[index_of(text.substr(span.begin, span.end - span.begin))];
    if (slot == kTextSlot) slot = span.slot;
  }
  for (const auto& [begin, end] : originals.all_in(text)) {
    cuts.push_back({begin, end, slots[index_of(text.substr(begin, end - begin))]});
  }
}

/// One cut for all that overlap, of the type of the first that has one.
std::vector<Span> merged(std::vector<Span> cuts) {
  std::stable_sort(cuts.begin(), cuts.end(),
                   [](const Span& a, const Span& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
  std::vector<Span> result;
  for (const Span& cut : cuts) {
    if (result.empty() || cut.begin >= result.back().end) {
      result.push_back(cut);
      continue;
    }
    Span& last = result.back();
    last.end = std::max(last.end, cut.end);
    if (last.slot == kTextSlot) last.slot = cut.slot;
  }
  return result;
}

}  // namespace

// ---- making ---------------------------------------------------------------------------------------------------------

Redactor::Redactor(std::string_view secret, std::span<const policies::OwnDetector> own)
    : secret_(memory_.keep(secret)) {
  for (const auto& detector : own) own_types_.push_back(detector.type);
}

std::string_view Redactor::type_of(std::uint8_t slot) const {
  if (slot < policies::kDetectedCount) return name_of(static_cast<policies::Detected>(slot));
  const std::size_t own = slot - policies::kDetectedCount;
  return own < own_types_.size() ? std::string_view(own_types_[own]) : "TEXT";
}

Result<std::string> Redactor::placeholder(std::string_view key, std::uint8_t slot, std::string_view value) const {
  const std::string_view type = type_of(slot);
  std::string keyed(type);
  keyed.append(1, '\0').append(value);
  const auto digest = hmac_sha256(key, keyed);
  if (!digest) return Error{ErrorCode::kInternal, "no keyed digest for a placeholder"};
  std::string made = "[" + std::string(type) + "_";
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | (*digest)[i];
  for (std::size_t i = 0; i < kTokenLength; ++i, bits <<= 5) made += kBase32[bits >> 59];
  return made + "]";
}

Status Redactor::replace(std::string_view text, std::span<const Span> cuts, std::string_view session,
                         Redaction& out) const {
  const std::string name =
      session.empty() ? "request " + std::to_string(++unnamed_) : "session " + std::string(session);
  const auto key = hmac_sha256(secret_, name);
  if (!key) return {ErrorCode::kInternal, "no keyed digest for a session"};
  std::unordered_map<std::string, std::string_view> known;
  std::size_t at = 0;
  for (const Span& cut : cuts) {
    const auto value = text.substr(cut.begin, cut.end - cut.begin);
    auto made = placeholder(bytes_of(*key), cut.slot, value);
    if (!made.ok()) return made.error();
    const auto [entry, is_new] = known.try_emplace(std::move(made).value());
    if (is_new) entry->second = out.memory_.keep(value);
    if (entry->second != value) return {ErrorCode::kInternal, "one placeholder for two values"};
    out.text_.append(text.substr(at, cut.begin - at));
    out.places_.push_back({out.text_.size(), out.text_.size() + entry->first.size(), cut.begin, cut.end});
    out.text_.append(entry->first);
    at = cut.end;
  }
  out.text_.append(text.substr(at));
  out.known_.assign(known.begin(), known.end());
  std::sort(out.known_.begin(), out.known_.end());
  return Done{};
}

Result<std::shared_ptr<const Redaction>> Redactor::redact(std::string_view text, std::span<const Span> spans,
                                                          std::string_view session) const try {
  const std::shared_ptr<Redaction> redaction(new Redaction());
  std::vector<Span> cuts;
  for (Span span : spans) {
    span.end = std::min(span.end, text.size());
    if (span.begin < span.end) cuts.push_back(span);
  }
  std::vector<std::string_view> values;
  for (const Span& cut : cuts) values.push_back(text.substr(cut.begin, cut.end - cut.begin));
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  redaction->originals_.emplace(values, &redaction->memory_);
  if (!values.empty()) add_repeats(text, std::vector<Span>(cuts), values, *redaction->originals_, cuts);
  add_look_alikes(text, cuts);
  if (auto status = replace(text, merged(std::move(cuts)), session, *redaction); !status.ok()) return status.error();
  return std::shared_ptr<const Redaction>(redaction);
} catch (const std::exception&) { return Error{ErrorCode::kInternal, "no memory to redact in"}; }

// ---- what was made --------------------------------------------------------------------------------------------------

/// The last placeholder that begins at `at` or before; null when none does.
const Redaction::Place* Redaction::last_place_from(std::size_t at) const {
  const auto after = std::upper_bound(places_.begin(), places_.end(), at,
                                      [](std::size_t value, const Place& place) { return value < place.begin; });
  return after == places_.begin() ? nullptr : &*std::prev(after);
}

bool Redaction::within_placeholder(std::size_t begin, std::size_t end) const {
  const Place* place = last_place_from(begin);
  return place != nullptr && end <= place->end;
}

Span Redaction::in_source(const Span& span) const {
  const auto source = [&](std::size_t at, bool is_end) {
    const Place* place = last_place_from(is_end && at > 0 ? at - 1 : at);
    if (place == nullptr) return at;
    if (at < place->end || (is_end && at == place->end)) return is_end ? place->source_end : place->source_begin;
    return at - place->end + place->source_end;
  };
  return {source(span.begin, false), source(span.end, true), span.slot};
}

std::string Redaction::restore(std::string_view text) const {
  Restorer restorer(*this);
  std::string restored = restorer.push(text);
  return restored + restorer.finish();
}

bool find_originals(std::string_view encoded, const Redaction& redaction) {
  return redaction.originals_->in_encoded(encoded);
}

// ---- the way back ---------------------------------------------------------------------------------------------------

std::string Restorer::push(std::string_view chunk) {
  const std::string text = std::exchange(held_, {}).append(chunk);
  const auto& known = redaction_.known_;
  std::string shown;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = std::min(text.find('[', at), text.size());
    shown.append(text, at, open - at);
    at = open;
    if (at == text.size()) break;
    const auto rest = std::string_view(text).substr(at, kPlaceholderMax);
    // Of the sorted placeholders, none of which begins another, the last that is not after the rest, or the next.
    auto next = std::upper_bound(known.begin(), known.end(), rest,
                                 [](std::string_view what, const Redaction::Known& one) { return what < one.first; });
    if (next != known.begin() && rest.starts_with(std::prev(next)->first)) {
      shown.append(std::prev(next)->second);
      at += std::prev(next)->first.size();
    } else if (next != known.end() && next->first.starts_with(rest)) {
      held_ = rest;
      break;
    } else {
      shown += text[at++];
    }
  }
  return shown;
}

Status restore_texts(Tensor& tensor, const Redaction& redaction) {
  if (tensor.datatype != Datatype::kBytes) return Done{};
  std::vector<std::byte> restored;
  for (auto rest = std::span<const std::byte>(tensor.data); !rest.empty();) {
    std::uint32_t size = 0;
    if (rest.size() < 4) return {ErrorCode::kCorrupt, "a text is cut"};
    for (unsigned i = 0; i < 4; ++i) size |= std::to_integer<std::uint32_t>(rest[i]) << 8 * i;
    rest = rest.subspan(4);
    if (size > rest.size()) return {ErrorCode::kCorrupt, "a text is cut"};
    const std::string text = redaction.restore({reinterpret_cast<const char*>(rest.data()), size});
    rest = rest.subspan(size);
    const auto element = Tensor::of_text("", text).data;
    restored.insert(restored.end(), element.begin(), element.end());
  }
  tensor.data = std::move(restored);
  return Done{};
}

}  // namespace hearth::privacy
