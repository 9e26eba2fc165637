/// \file A stack of square linear layers with biases, and those who run it for bench_edge.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hearth::bench {

constexpr std::size_t kLayers = 4;

struct Stack {
  std::size_t width;
  std::vector<std::vector<float>> weights;  ///< kLayers of width x width, one row for each output.
  std::vector<std::vector<float>> biases;
};

struct Case {
  std::size_t width;
  std::size_t batch;
  std::size_t threads;
};

/// Times single runs. The slowest part of set-up may happen in the constructor or at prepare().
class StackEngine {
 public:
  virtual ~StackEngine() = default;
  virtual std::string name() const = 0;
  /// False when it cannot run here; it then has said why.
  virtual bool prepare(const Case& c) = 0;
  /// Microseconds of each run, for about so many seconds, at most so many runs.
  virtual std::vector<double> run(double seconds, std::size_t runs_max) = 0;
  /// What a run gave last; empty when it cannot say.
  virtual std::vector<float> output() const { return {}; }
};

using Engines = std::vector<std::unique_ptr<StackEngine>>;

/// For timing in this process.
std::vector<double> time_runs(double seconds, std::size_t runs_max, const std::function<void()>& once);
/// The same numbers each time, within [-1, 1].
std::vector<float> bench_input(std::size_t size);

/// hearth_int8 and hearth_int4. `stack` must outlive the call only.
void add_hearth_engines(const Stack& stack, Engines& engines);
/// torch_fp32, torch_int8_qnnpack, torch_int8_onednn. Writes files into `folder`.
void add_torch_engines(const Stack& stack, const std::string& folder, Engines& engines);

/// ONNX Runtime in a node process of its own.
class OrtProcess {
 public:
  /// `packages`: where bench/peers/install put them. Throws std::runtime_error when node does not start.
  explicit OrtProcess(const std::string& packages);
  ~OrtProcess();
  OrtProcess(const OrtProcess&) = delete;
  OrtProcess& operator=(const OrtProcess&) = delete;
  /// One line of JSON there and back.
  std::string ask(const std::string& line);

 private:
  int to_ = -1;
  int from_ = -1;
  int process_ = -1;
  std::string read_;
};

/// ort_fp32, ort_int8, ort_empty (what a call costs), each in a process of its own.
void add_ort_engines(const std::string& packages, Engines& engines);

}  // namespace hearth::bench
