#include "cloud_stub/judge.h"

namespace hearth::stub {
namespace {

/// FNV-1a, 64 bits: among a million requests two of them share a key with a chance of 3 in 10^8.
class Key {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) { hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull; }
    hash_ = (hash_ ^ 0x1ff) * 0x100000001b3ull;  // Where one part ends and the next begins.
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ull;
};

std::uint64_t key_of(std::string_view model, const InferRequest& request) {
  Key key;
  key.add(model);
  for (const Tensor& input : request.inputs) {
    key.add(input.name);
    key.add({reinterpret_cast<const char*>(input.data.data()), input.data.size()});
  }
  return key.value();
}

}  // namespace

double Verdict::amplification() const {
  return distinct_requests == 0 ? 0 : static_cast<double>(attempts) / static_cast<double>(distinct_requests);
}

bool Judge::again(Keys& keys, std::uint64_t key) {
  if (keys.size() >= kRememberedMax) {
    counts_.forgot = true;
    return keys.contains(key);
  }
  return !keys.insert(key).second;
}

void Judge::arrived(std::string_view model, const InferRequest& request) {
  const std::uint64_t key = key_of(model, request);
  const std::lock_guard lock(mutex_);
  ++counts_.attempts;
  if (!again(seen_, key)) ++counts_.distinct_requests;
}

void Judge::executes(std::string_view model, const InferRequest& request, std::optional<Duration> timeout,
                     Duration waited) {
  const std::uint64_t key = key_of(model, request);
  Key id;
  if (request.id) id.add(*request.id);
  const std::lock_guard lock(mutex_);
  ++counts_.executed;
  if (again(executed_inputs_, key)) ++counts_.inputs_executed_twice;
  if (request.id && !request.id->empty() && again(executed_ids_, id.value())) ++counts_.ids_executed_twice;
  if (timeout && waited > *timeout) ++counts_.after_deadline;
}

Verdict Judge::verdict() const {
  const std::lock_guard lock(mutex_);
  Verdict verdict = counts_;
  verdict.redirects_followed = redirects_;
  return verdict;
}

}  // namespace hearth::stub
