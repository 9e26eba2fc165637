/// \file Fashion-MNIST (Zalando Research, MIT licence) as Debian's package dataset-fashion-mnist installs it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hearth/result.h>

namespace hearth::tool {

inline constexpr std::string_view kFashionMnistFolder = "/usr/share/datasets/fashion-mnist";
inline constexpr std::size_t kImagePixels = 28 * 28;
inline constexpr std::array<std::string_view, 10> kFashionLabels = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/// Grey images of 28 x 28 pixels, row-major, 0 (background) to 255, each with a label 0 to 9.
struct LabelledImages {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;

  std::size_t count() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t i) const {
    return std::span(pixels).subspan(i * kImagePixels, kImagePixels);
  }
  /// The image as a model of `hearth prepare` takes it: kImagePixels floats from 0 to 1.
  std::vector<float> scaled(std::size_t i) const;
};

/// Training, validation and test images share nothing: thresholds are picked on validation, results come from test.
struct FashionMnist {
  LabelledImages train;       ///< 55,000
  LabelledImages validation;  ///< 5,000, drawn from the published training images, always the same ones.
  LabelledImages test;        ///< 10,000
};

/// Reads two gzip IDX files that belong together. kNotFound when missing; kCorrupt, naming the file, what is there and
/// what was expected, when they are cut, of another kind, of other sizes, or hold a label above 9.
Result<LabelledImages> read_idx(const std::string& images_file, const std::string& labels_file);

/// The four files of `folder`. Errors as read_idx; also when the counts are not 60,000 and 10,000.
Result<FashionMnist> load_fashion_mnist(const std::string& folder);

/// Only the 10,000 test images.
Result<LabelledImages> load_fashion_mnist_test(const std::string& folder);

/// Moves `count` images, picked by a fixed shuffle of `all`, to the second part. `count` <= all.count().
std::pair<LabelledImages, LabelledImages> split_validation(const LabelledImages& all, std::size_t count);

}  // namespace hearth::tool
