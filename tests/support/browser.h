/// \file A page as a real browser shows it: headless Chromium, where it is installed.
#pragma once

#include <sys/wait.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace hearth::test {

/// Pixels of an 8-bit RGB or RGBA PNG without interlacing, which is what Chromium writes (PNG 1.2, RFC 2083).
struct Picture {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint32_t> pixels;  ///< 0xRRGGBB, by rows. Empty when the file is none.

  std::size_t colours() const { return std::set<std::uint32_t>(pixels.begin(), pixels.end()).size(); }
  std::uint32_t at(std::uint32_t x, std::uint32_t y) const { return pixels[y * width + x]; }
};

inline std::uint8_t predicted(int filter, int left, int up, int corner) {
  const int guess = left + up - corner, a = std::abs(guess - left), b = std::abs(guess - up),
            c = std::abs(guess - corner);
  const int paeth = a <= b && a <= c ? left : b <= c ? up : corner;
  const int by_filter[] = {0, left, up, (left + up) / 2, paeth};
  return static_cast<std::uint8_t>(by_filter[filter]);
}

inline Picture read_png(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    return value;
  };
  Picture picture;
  std::string packed;
  std::size_t channels = 0;
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::uint32_t length = number(at);
    const std::string kind = bytes.substr(at + 4, 4);
    if (at + 12 + length > bytes.size()) return {};
    if (kind == "IHDR") {
      picture.width = number(at + 8);
      picture.height = number(at + 12);
      if (bytes[at + 16] != 8 || bytes[at + 20] != 0) return {};
      channels = bytes[at + 17] == 2 ? 3 : bytes[at + 17] == 6 ? 4 : 0;
    }
    if (kind == "IDAT") packed.append(bytes, at + 8, length);
    at += 12 + length;
  }
  const std::size_t stride = picture.width * channels;
  std::vector<std::uint8_t> raw((stride + 1) * picture.height);
  auto size = static_cast<uLongf>(raw.size());
  if (channels == 0 ||
      uncompress(raw.data(), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size()) != Z_OK)
    return {};
  std::vector<std::uint8_t> above(stride), row(stride);
  for (std::uint32_t y = 0; y < picture.height; ++y, std::swap(above, row)) {
    const std::uint8_t* line = &raw[y * (stride + 1)];
    for (std::size_t i = 0; i < stride; ++i) {
      const int left = i >= channels ? row[i - channels] : 0, corner = i >= channels ? above[i - channels] : 0;
      row[i] = static_cast<std::uint8_t>(line[i + 1] + predicted(line[0], left, above[i], corner));
    }
    for (std::size_t x = 0; x < picture.width; ++x)
      picture.pixels.push_back(static_cast<std::uint32_t>(row[x * channels]) << 16 |
                               static_cast<std::uint32_t>(row[x * channels + 1]) << 8 | row[x * channels + 2]);
  }
  return picture;
}

/// Headless Chromium with a profile of its own.
class Browser {
 public:
  static bool installed() { return std::system("command -v chromium >/dev/null 2>&1") == 0; }

  /// The picture of a file, `width` by `height` pixels; kept as `keep` where that is not empty.
  Picture screenshot(const std::filesystem::path& page, int width, int height, bool dark) const {
    const auto shot = folder_.path() / "shot.png";
    run("--screenshot=" + shot.string() + " --window-size=" + std::to_string(width) + "," + std::to_string(height) +
        (dark ? " --blink-settings=preferredColorScheme=0" : " --blink-settings=preferredColorScheme=1") + " file://" +
        page.string());
    return read_png(shot);
  }
  /// The page after its scripts ran.
  std::string dom(const std::filesystem::path& page, int width) const {
    run("--dump-dom --window-size=" + std::to_string(width) + ",1000 file://" + page.string());
    std::ifstream in(folder_.path() / "out");
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

 private:
  void run(const std::string& arguments) const {
    const std::string command =
        "timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--no-first-run --hide-scrollbars --user-data-dir=" +
        (folder_.path() / "profile").string() + " " + arguments + " >" + (folder_.path() / "out").string() +
        " 2>/dev/null";
    static_cast<void>(std::system(command.c_str()));
  }

  TempFolder folder_;
};

}  // namespace hearth::test
