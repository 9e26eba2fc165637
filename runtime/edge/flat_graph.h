/// \file From a frozen TorchScript graph to a FlatPlan. Internal to runtime/edge: includes torch.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <hearth/config.h>

#include "runtime/edge/flat_plan.h"
#include "runtime/edge/torch_file.h"
#include "runtime/edge/worker_pool.h"

namespace hearth::edge {

/// Nothing when the graph holds anything but: hearth::linear_int8 and _int4; linear, addmm and matmul with constant
/// FP32 weights; relu, gelu, tanh, sigmoid, softmax and log_softmax; add and mul; flatten, reshape, view, with numbers
/// and sizes of tensors; dropout that is off, contiguous, detach; constants. All tensors FP32. What it leaves out
/// LibTorch runs. The plan shares hearth's layers with the module and copies the others, so the module may go.
std::optional<FlatPlan> flat_plan_of(const torch::jit::Module& frozen, const EdgeBinding& binding);

/// A FlatModel of it, where the graph allows one and it answers a trial input as `model`, which LibTorch runs, does;
/// else null. Makes batches where `model` does.
std::shared_ptr<EdgeModel> flat_model_of(const torch::jit::Module& frozen, EdgeModel& model, const EdgeBinding& binding,
                                         const std::shared_ptr<WorkerPool>& workers);

/// One pass of a module with one FP32 input, run as the engine would run it, for whoever measures. Owns what it needs.
std::function<void()> pass_of(const torch::jit::Module& frozen, const at::Tensor& x);

}  // namespace hearth::edge
