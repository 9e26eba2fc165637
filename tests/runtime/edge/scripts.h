/// \file TorchScript files made on the spot, so that tests need no Python and no downloads. No torch header is needed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth::test {

struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< Empty: numbers between -1 and 1, the same ones each time.
};

/// Saves a module with these parameters and `source`, the text of its `forward`. Throws what LibTorch throws.
void save_script(const std::string& file, const std::string& source, const std::vector<Parameter>& parameters);

/// "x" FP32 [n,2] -> [n,2]: x W^T + b with W = ((1, 2), (3, 4)), b = (0.5, -0.5).
void save_linear(const std::string& file);

/// "x" FP32 [n,64] -> [n,10] through one hidden layer of 32.
void save_perceptron(const std::string& file);

/// "x" FP32 [n,64] -> [n,4]: a photo of 8 x 8 through a convolution with ReLU, pooling, and another convolution.
void save_convolutions(const std::string& file);

/// Another file beside a dynamically quantized one, the ReLU of its first layer inside the operator, as
/// torch.nn.intrinsic's modules have it; its name.
std::string save_with_built_in_relu(const std::string& file);

/// "x" FP32 [n,36] -> [n,3]: a photo of 6 x 6 through a convolution that is quantized statically, and a float layer.
void save_static_int8(const std::string& file);

}  // namespace hearth::test
