/// \file ModelShelf: edge models under one memory budget. What was used longest ago is unloaded, and loaded again when
/// it is next asked for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <hearth/edge_model.h>
#include <hearth/result.h>

#include "runtime/edge/worker_pool.h"

namespace hearth::edge {

/// A model in use is never unloaded. So what is loaded may exceed the budget, while more is in use than fits, and never
/// by a model that is idle. A model counts as many bytes as its place was made with: room is made before it is loaded.
/// Nothing is locked while a model loads, runs or goes. Threads: any. Places may outlive the shelf's other users.
class ModelShelf : public std::enable_shared_from_this<ModelShelf> {
 public:
  using Load = std::function<Result<std::shared_ptr<EdgeModel>>()>;

  explicit ModelShelf(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  class Place;
  /// While it lives, the model is in use.
  class Lease {
   public:
    Lease(std::shared_ptr<ModelShelf> shelf, Place& place, std::shared_ptr<EdgeModel> model);
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    EdgeModel& model() const { return *model_; }

   private:
    std::shared_ptr<ModelShelf> shelf_;  // Null once moved from.
    Place* place_;
    std::shared_ptr<EdgeModel> model_;
  };

  /// Where one model stands, loaded or not. Must outlive its leases; leaves the shelf when it goes.
  class Place {
   public:
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    /// Loads the model where it is not there, on this thread; others who want it meanwhile wait for it. Fails as `load`
    /// does, and is asked anew next time.
    Result<Lease> use();
    bool loaded() const;

   private:
    friend class ModelShelf;
    Place(std::shared_ptr<ModelShelf> shelf, std::uint64_t bytes, Load load);
    Result<std::shared_ptr<EdgeModel>> load() const;

    const std::shared_ptr<ModelShelf> shelf_;
    const std::uint64_t bytes_;
    const Load load_;
    std::shared_ptr<EdgeModel> model_;  // These four under the shelf's mutex.
    std::size_t users_ = 0;
    bool loading_ = false;
    std::uint64_t used_ = 0;  ///< The shelf's clock when it was used last.
  };

  /// kResourceExhausted when the model is larger than the budget. `load` is not called yet.
  Result<std::unique_ptr<Place>> add(std::uint64_t bytes, Load load);

  /// Of the models that are loaded or being loaded.
  std::uint64_t bytes() const;
  std::uint64_t bytes_max() const { return bytes_max_; }

 private:
  /// Takes idle models off until `room` more bytes fit, or none is left. They go when the result does, without the
  /// lock.
  std::vector<std::shared_ptr<EdgeModel>> make_room(std::uint64_t room);
  void give_back(Place& place);

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable loaded_;
  std::list<Place*> places_;
  std::uint64_t bytes_ = 0;
  std::uint64_t clock_ = 0;
};

/// A model on a shelf. run() loads it on its caller's thread, start() on a worker.
class ShelvedModel final : public EdgeModel, public BatchedModel, public std::enable_shared_from_this<ShelvedModel> {
 public:
  /// Loads it a first time. Fails as that does.
  static Result<std::shared_ptr<EdgeModel>> put(std::unique_ptr<ModelShelf::Place> place,
                                                std::shared_ptr<WorkerPool> workers);

  const std::string& sha256() const override { return sha256_; }
  /// Also fails as loading does.
  Outputs run(std::span<const Tensor> inputs) override;
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override;
  BatchedModel* batched() override { return makes_batches_ ? this : nullptr; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override;

 private:
  ShelvedModel(std::unique_ptr<ModelShelf::Place> place, EdgeModel& model, std::shared_ptr<WorkerPool> workers)
      : place_(std::move(place)),
        sha256_(model.sha256()),
        workers_(std::move(workers)),
        makes_batches_(model.batched() != nullptr) {}

  const std::unique_ptr<ModelShelf::Place> place_;
  const std::string sha256_;
  const std::shared_ptr<WorkerPool> workers_;
  const bool makes_batches_;
};

}  // namespace hearth::edge
