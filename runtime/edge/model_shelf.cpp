#include "runtime/edge/model_shelf.h"

#include <exception>
#include <string>
#include <utility>

namespace hearth::edge {

ModelShelf::Lease::Lease(std::shared_ptr<ModelShelf> shelf, Place& place, std::shared_ptr<EdgeModel> model)
    : shelf_(std::move(shelf)), place_(&place), model_(std::move(model)) {}

ModelShelf::Lease::~Lease() {
  if (!shelf_) return;
  model_.reset();
  shelf_->give_back(*place_);
}

ModelShelf::Place::Place(std::shared_ptr<ModelShelf> shelf, std::uint64_t bytes, Load load)
    : shelf_(std::move(shelf)), bytes_(bytes), load_(std::move(load)) {
  const std::lock_guard lock(shelf_->mutex_);
  shelf_->places_.push_back(this);
}

ModelShelf::Place::~Place() {
  const std::lock_guard lock(shelf_->mutex_);
  shelf_->places_.remove(this);
  if (model_) shelf_->bytes_ -= bytes_;
}

bool ModelShelf::Place::loaded() const {
  const std::lock_guard lock(shelf_->mutex_);
  return model_ != nullptr;
}

Result<std::shared_ptr<EdgeModel>> ModelShelf::Place::load() const {
  try {
    return load_();
  } catch (const std::exception&) {  // Of memory that is short, say.
    return Error{ErrorCode::kResourceExhausted, "the edge model cannot be loaded: there is no room for it"};
  }
}

Result<ModelShelf::Lease> ModelShelf::Place::use() {
  std::vector<std::shared_ptr<EdgeModel>> gone;
  std::unique_lock lock(shelf_->mutex_);
  shelf_->loaded_.wait(lock, [&] { return !loading_; });
  used_ = ++shelf_->clock_;
  ++users_;
  if (!model_) {
    loading_ = true;
    gone = shelf_->make_room(bytes_);
    shelf_->bytes_ += bytes_;
    lock.unlock();
    gone.clear();
    auto made = load();
    lock.lock();
    loading_ = false;
    shelf_->loaded_.notify_all();
    if (!made.ok()) {
      shelf_->bytes_ -= bytes_;
      --users_;
      return made.error();
    }
    model_ = std::move(made).value();
  }
  return Lease(shelf_, *this, model_);
}

Result<std::unique_ptr<ModelShelf::Place>> ModelShelf::add(std::uint64_t bytes, Load load) {
  if (bytes > bytes_max_) {
    return Error{ErrorCode::kResourceExhausted, "takes " + std::to_string(bytes) +
                                                    " bytes, and all edge models together " + "may take " +
                                                    std::to_string(bytes_max_)};
  }
  return std::unique_ptr<Place>(new Place(shared_from_this(), bytes, std::move(load)));
}

std::uint64_t ModelShelf::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::vector<std::shared_ptr<EdgeModel>> ModelShelf::make_room(std::uint64_t room) {
  std::vector<std::shared_ptr<EdgeModel>> gone;
  while (bytes_ + room > bytes_max_) {
    Place* oldest = nullptr;
    for (Place* const place : places_) {
      const bool idle = place->model_ && place->users_ == 0;
      if (idle && (oldest == nullptr || place->used_ < oldest->used_)) oldest = place;
    }
    if (oldest == nullptr) break;
    gone.push_back(std::move(oldest->model_));
    oldest->model_.reset();
    bytes_ -= oldest->bytes_;
  }
  return gone;
}

void ModelShelf::give_back(Place& place) {
  std::vector<std::shared_ptr<EdgeModel>> gone;
  const std::lock_guard lock(mutex_);
  --place.users_;
  gone = make_room(0);
}

Result<std::shared_ptr<EdgeModel>> ShelvedModel::put(std::unique_ptr<ModelShelf::Place> place,
                                                     std::shared_ptr<WorkerPool> workers) {
  ModelShelf::Place& there = *place;
  const auto lease = there.use();
  if (!lease.ok()) return lease.error();
  return std::shared_ptr<EdgeModel>(new ShelvedModel(std::move(place), lease->model(), std::move(workers)));
}

EdgeModel::Outputs ShelvedModel::run(std::span<const Tensor> inputs) {
  const auto lease = place_->use();
  if (!lease.ok()) return lease.error();
  return lease->model().run(inputs);
}

void ShelvedModel::start(std::span<const Tensor> inputs, EdgeModel::Callback done) {
  start_on(*workers_, shared_from_this(), inputs, std::move(done));
}

void ShelvedModel::start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) {
  auto shared_done = std::make_shared<BatchedModel::Callback>(std::move(done));
  const auto all_fail = [shared_done, size = batch.size()](const Error& error) {
    (*shared_done)(std::vector<Outputs>(size, Outputs(error)));
  };
  workers_->post({[self = shared_from_this(), batch, shared_done, all_fail] {
                    auto use = self->place_->use();
                    if (!use.ok()) return all_fail(use.error());
                    // In use until the pass is through, which the model starts on a worker itself.
                    auto lease = std::make_shared<ModelShelf::Lease>(std::move(use).value());
                    EdgeModel& model = lease->model();
                    model.batched()->start_batch(batch,
                                                 [self, lease, shared_done](std::vector<Outputs> answers) mutable {
                                                   lease.reset();
                                                   (*shared_done)(std::move(answers));
                                                 });
                  },
                  [all_fail] {
                    all_fail({ErrorCode::kCancelled, "the edge engine was stopped before the pass began"});
                  }});
}

}  // namespace hearth::edge
