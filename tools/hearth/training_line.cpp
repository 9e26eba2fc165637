#include "tools/hearth/training_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace hearth::tool {
namespace {

constexpr double kSilentSeconds = 2;
constexpr int kBarWidth = 30;

}  // namespace

TrainingLine::TrainingLine(std::string title)
    : title_(std::move(title)), terminal_(::isatty(STDERR_FILENO) == 1), began_(std::chrono::steady_clock::now()) {}

TrainingLine::~TrainingLine() {
  if (seconds() < kSilentSeconds) return;
  std::fprintf(stderr, terminal_ ? "\r\x1b[K  %-32s %.0f s\n" : "  %-32s done in %.0f s\n", title_.c_str(), seconds());
}

double TrainingLine::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void TrainingLine::show(double done) {
  done = std::clamp(done, 0.0, 1.0);
  const double now = seconds();
  if (now < kSilentSeconds || now - drawn_at_s_ < 0.2 || done <= 0) return;
  drawn_at_s_ = now;
  const double left = now / done - now;
  if (terminal_) {
    const int filled = static_cast<int>(done * kBarWidth);
    const std::string bar = std::string(filled, '=') + std::string(kBarWidth - filled, ' ');
    std::fprintf(stderr, "\r\x1b[K  %-32s [%s] %3.0f %%, %.0f s left ", title_.c_str(), bar.c_str(), 100 * done, left);
    std::fflush(stderr);
  } else if (const int quarter = static_cast<int>(done * 4); quarter > quarters_said_) {
    quarters_said_ = quarter;
    std::fprintf(stderr, "  %-32s %d %%, %.0f s left\n", title_.c_str(), quarter * 25, left);
  }
}

}  // namespace hearth::tool
