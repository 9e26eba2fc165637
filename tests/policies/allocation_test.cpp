// Evaluation must not allocate: it runs on the caller's thread for every request.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include "policies/policy.h"
#include "policies/table.h"

static std::atomic<long> allocations{0};

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
// Also the one that does not throw, which the library's temporary buffers use: new and delete must be of one kind.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace hearth::policies {
namespace {

TEST_CASE("classify, permit and prefer allocate nothing, rule by rule or by table") {
  const auto loaded = Policy::load_file("configs/policies/demo.json");
  INFO((loaded.ok() ? "" : loaded.error().message));
  REQUIRE(loaded.ok());
  const Policy& policy = *loaded.value();
  Facts facts;
  facts.label = "public";
  facts.model = "photo-tagger";
  facts.text = "red boots, hardly worn, for a patient buyer";
  facts.consent = Consent::kGiven;
  facts.session_tainted = false;
  facts.cloud_mib_today = 1;
  const EndpointFacts endpoints[] = {{"stub", "local"}};
  const Table table(loaded.value(), endpoints);
  const long before = allocations;
  REQUIRE(before > 0);  // The counter counts.
  const Classified classified = policy.classify(facts);
  const Permission permission = policy.permit(facts, classified.data_class, endpoints);
  const Preference preference = policy.prefer(facts, classified.data_class);
  const Words words = table.words_of(facts);
  const Classified looked_up = table.classify(facts, words);
  const Permission permitted = table.permit(facts, words, looked_up.data_class);
  const Preference preferred = table.prefer(facts, words, looked_up.data_class);
  const long after = allocations;
  CHECK(after == before);
  CHECK(policy.rule_id(classified.rule) == "caption-is-clinical");
  CHECK(policy.rule_id(permission.rule) == "class:sensitive");
  CHECK(policy.rule_id(preference.rule) == "unsure-photos");
  CHECK(looked_up.rule == classified.rule);
  CHECK(permitted.rule == permission.rule);
  CHECK(preferred.rule == preference.rule);
}

}  // namespace
}  // namespace hearth::policies
