/// \file Tripwire: counts sensitive things that reach the server, so that "none left" is the other side's own finding.
#pragma once

#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

namespace hearth::stub {

/// Remembers hashes of sensitive tensors and canaries (marked texts), and looks for them in what arrives.
///
/// A canary is found as it stands, JSON-escaped, percent-encoded, and in base64 (both alphabets, any alignment).
/// Threads: every method from any thread; checks share a lock. Until something is registered a check costs one load.
class Tripwire {
 public:
  static constexpr std::size_t kCanaryBytesMin = 4;  ///< Shorter ones would be found in noise.
  static constexpr std::size_t kCanaryBytesMax = 4096;
  static constexpr std::size_t kHashesMax = 1'000'000;
  static constexpr std::size_t kCanariesMax = 100'000;

  /// Adds to what is registered; all of it or, on an error, nothing. Hashes are SHA-256 in hex.
  Status add(const std::vector<std::string>& input_sha256, const std::vector<std::string>& canaries);

  bool armed() const { return armed_.load(std::memory_order_acquire); }

  struct Hits {
    std::uint64_t inputs = 0;    ///< Tensors whose bytes are registered (a whole body counts as one).
    std::uint64_t canaries = 0;  ///< Different canaries.
    bool any() const { return inputs + canaries > 0; }
  };
  /// What one request carries: `inputs` as decoded, and every stretch of its bytes that can hold text.
  Hits check(std::span<const Tensor> inputs, std::string_view body, std::string_view head) const;

 private:
  /// One spelling of a canary.
  struct Spelling {
    std::string text;
    std::uint32_t canary;
  };

  void index(std::string text, std::uint32_t canary, std::size_t bytes_min);
  void search(std::string_view text, std::unordered_set<std::uint32_t>& found) const;
  void search_all_forms(std::string_view text, std::unordered_set<std::uint32_t>& found) const;

  std::atomic<bool> armed_{false};
  mutable std::shared_mutex mutex_;
  std::unordered_set<std::string> hashes_;
  std::unordered_set<std::string> canaries_;
  std::vector<Spelling> spellings_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> by_first_four_;
  std::vector<bool> may_start_;  ///< 2^16 bits over a hash of the first four bytes: most positions end here.
};

/// Undoes JSON string escapes wherever they stand, also in text that is no valid JSON.
std::string unescape_json(std::string_view text);
/// Undoes %XX.
std::string unescape_percent(std::string_view text);

}  // namespace hearth::stub
