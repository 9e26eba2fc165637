// Goal: models under one budget. Method: models that hold nothing but tell that they are there, used in random order
// beside a list of what must be loaded.
#include "runtime/edge/model_shelf.h"

#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

using namespace hearth;
using namespace hearth::edge;

namespace {

class FakeModel final : public EdgeModel {
 public:
  explicit FakeModel(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~FakeModel() override { --alive_; }
  FakeModel(const FakeModel&) = delete;
  FakeModel& operator=(const FakeModel&) = delete;
  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override { return std::vector<Tensor>(inputs.begin(), inputs.end()); }
  void start(std::span<const Tensor> inputs, Callback done) override { done(run(inputs)); }

 private:
  std::atomic<int>& alive_;
  const std::string sha256_ = "hash";
};

struct Entry {
  std::uint64_t bytes;
  std::atomic<int> alive = 0;
  std::atomic<int> loads = 0;
  std::unique_ptr<ModelShelf::Place> place;
  std::vector<ModelShelf::Lease> leases;
  std::uint64_t used = 0;
};

std::unique_ptr<Entry> put(const std::shared_ptr<ModelShelf>& shelf, std::uint64_t bytes) {
  auto entry = std::make_unique<Entry>();
  entry->bytes = bytes;
  entry->place = shelf
                     ->add(bytes,
                           [entry = entry.get()]() -> Result<std::shared_ptr<EdgeModel>> {
                             ++entry->loads;
                             return std::shared_ptr<EdgeModel>(std::make_shared<FakeModel>(entry->alive));
                           })
                     .value();
  return entry;
}

using Entries = std::vector<std::unique_ptr<Entry>>;

/// Everything that must hold between two calls.
void check_shelf(const ModelShelf& shelf, const Entries& entries) {
  std::uint64_t bytes = 0;
  bool idle = false;
  for (const auto& entry : entries) {
    const bool loaded = entry->place->loaded();
    RC_ASSERT(entry->alive == (loaded ? 1 : 0));  // What is unloaded is gone.
    RC_ASSERT(loaded || entry->leases.empty());   // What is in use stays.
    bytes += loaded ? entry->bytes : 0;
    idle |= loaded && entry->leases.empty();
  }
  RC_ASSERT(shelf.bytes() == bytes);
  RC_ASSERT(bytes <= shelf.bytes_max() || !idle);
}

}  // namespace

TEST_CASE("Idle models never exceed the budget, a model in use stays, and what goes is what was used longest ago") {
  const bool held = rc::check([] {
    const auto shelf = std::make_shared<ModelShelf>(100);
    Entries entries;
    for (int i = 0; i < 5; ++i) entries.push_back(put(shelf, *rc::gen::inRange<std::uint64_t>(1, 101)));
    const auto steps = *rc::gen::container<std::vector<std::pair<std::size_t, bool>>>(
        rc::gen::pair(rc::gen::inRange<std::size_t>(0, entries.size()), rc::gen::arbitrary<bool>()));
    std::uint64_t clock = 0;
    for (const auto& [which, take] : steps) {
      Entry& entry = *entries[which];
      if (!take && entry.leases.empty()) continue;
      std::vector<Entry*> before;  // Idle.
      for (const auto& one : entries) {
        if (one->place->loaded() && one->leases.empty()) before.push_back(one.get());
      }
      if (take) {
        const int loads = entry.loads;
        const bool was_loaded = entry.place->loaded();
        auto lease = entry.place->use();
        RC_ASSERT(lease.ok());
        RC_ASSERT(entry.loads == loads + (was_loaded ? 0 : 1));
        entry.leases.push_back(std::move(lease).value());
        entry.used = ++clock;
      } else {
        entry.leases.pop_back();
      }
      std::uint64_t newest_gone = 0, oldest_left = clock + 1;
      for (const Entry* const one : before) {
        if (!one->place->loaded()) newest_gone = std::max(newest_gone, one->used);
        if (one->place->loaded() && one->leases.empty()) oldest_left = std::min(oldest_left, one->used);
      }
      RC_ASSERT(newest_gone < oldest_left);
      check_shelf(*shelf, entries);
    }
    for (const auto& entry : entries) entry->leases.clear();
    check_shelf(*shelf, entries);
  });
  CHECK(held);
}

TEST_CASE("A model larger than the budget is refused, and one that goes leaves its room") {
  const auto shelf = std::make_shared<ModelShelf>(100);
  const auto refused = shelf->add(101, [] { return Result<std::shared_ptr<EdgeModel>>(Error{}); });
  CHECK(refused.error().code == ErrorCode::kResourceExhausted);
  CHECK(refused.error().message == "takes 101 bytes, and all edge models together may take 100");
  {
    const auto entry = put(shelf, 100);
    CHECK(entry->place->use().ok());
    CHECK(shelf->bytes() == 100);
  }
  CHECK(shelf->bytes() == 0);
}

TEST_CASE("A load that fails is an error of that use, takes no room, and is tried again") {
  const auto shelf = std::make_shared<ModelShelf>(100);
  std::atomic<int> alive = 0;
  int tries = 0;
  const auto place = shelf
                         ->add(60,
                               [&]() -> Result<std::shared_ptr<EdgeModel>> {
                                 if (++tries == 1) return Error{ErrorCode::kCorrupt, "another file"};
                                 if (tries == 2) throw std::bad_alloc();
                                 return std::shared_ptr<EdgeModel>(std::make_shared<FakeModel>(alive));
                               })
                         .value();
  CHECK(place->use().error().message == "another file");
  CHECK(shelf->bytes() == 0);
  CHECK(place->use().error().code == ErrorCode::kResourceExhausted);
  CHECK(shelf->bytes() == 0);
  CHECK(place->use().ok());
  CHECK(alive == 1);
}

TEST_CASE("Two who want a model that is not there wait for one load") {
  const auto shelf = std::make_shared<ModelShelf>(100);
  std::atomic<int> alive = 0;
  std::atomic<int> loads = 0;
  std::promise<void> began, go_on;
  const auto place = shelf
                         ->add(60,
                               [&]() -> Result<std::shared_ptr<EdgeModel>> {
                                 ++loads;
                                 began.set_value();
                                 go_on.get_future().wait();
                                 return std::shared_ptr<EdgeModel>(std::make_shared<FakeModel>(alive));
                               })
                         .value();
  std::thread first([&] { (void)place->use(); });
  began.get_future().wait();
  std::thread second([&] { (void)place->use(); });
  go_on.set_value();
  first.join();
  second.join();
  CHECK(loads == 1);
  CHECK(alive == 1);
}

TEST_CASE("From many threads at once the budget holds again as soon as all are through") {
  const auto shelf = std::make_shared<ModelShelf>(100);
  Entries entries;
  for (int i = 0; i < 6; ++i) entries.push_back(put(shelf, 30 + 10 * static_cast<std::uint64_t>(i % 3)));
  std::atomic<int> missing = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 200; ++i) {
        Entry& entry = *entries[(i * (t + 1) + t) % entries.size()];
        const auto lease = entry.place->use();
        // One that was taken off may still be going, without the lock, while the next one is there.
        if (!lease.ok() || lease->model().sha256() != "hash" || entry.alive < 1) ++missing;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(missing == 0);
  CHECK(shelf->bytes() <= shelf->bytes_max());
  int alive = 0;
  for (const auto& entry : entries) alive += entry->alive;
  CHECK(alive >= 1);
}
