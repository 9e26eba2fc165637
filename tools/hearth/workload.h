/// \file A workload: which photos arrive when, under what label and with what caption. Read from a file, made from a
/// seed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::tool {

/// What a photo is, from least to most restrictive. The names are those of the policy's classes.
enum class PhotoClass : std::uint8_t { kPublic, kPersonal, kSensitive };
std::string_view name_of(PhotoClass photo_class);

/// What a workload file says. Shares are fractions, 0 to 1.
struct WorkloadSpec {
  std::string name = "demo";
  std::uint64_t images = 10'000;  ///< Each of the first `images` test photos arrives once.
  std::uint64_t seed = 1;
  double rate_per_s = 250;  ///< Poisson arrivals.
  double deadline_ms = 250;
  double public_share = 0.60;
  double personal_share = 0.25;
  double sensitive_share = 0.15;
  double public_captions = 0.30;  ///< Share of the public photos that have a caption, and so on.
  double personal_captions = 0.50;
  double sensitive_captions = 0.50;
  double sensitive_unlabelled = 0.10;          ///< The app forgot the label; the default class has to catch these.
  double captions_with_personal_data = 0.15;   ///< Of the public photos' captions: an e-mail, phone or card number.
  double captions_with_clinical_terms = 0.05;  ///< Of the public photos' captions: one of `clinical_terms`.
  std::vector<std::string> clinical_terms = {"MRN", "biopsy", "diagnosis"};
};

/// The photos there are to draw from: Fashion-MNIST's test images.
inline constexpr std::uint64_t kImagesMax = 10'000;

/// Reads a workload file. All problems come in one error, a line each: `file:line:column: path: what, expected what`.
Result<WorkloadSpec> load_workload(const std::string& file);

/// The bounds again, for values that flags have changed. One line, naming the flag's key.
Status check_workload(const WorkloadSpec& spec);

/// Why a photo may not leave, by the workload's own truth (the policy under test is never asked).
enum class Stays : std::uint8_t { kNo, kPersonalPhoto, kSensitivePhoto, kPersonalCaption, kClinicalCaption };
std::string_view name_of(Stays stays);

/// One photo that arrives.
struct Arrival {
  std::uint32_t photo = 0;  ///< Index into the test images.
  Duration at{};            ///< Since the phase began.
  PhotoClass photo_class = PhotoClass::kPublic;
  std::string label;    ///< What the app hands over; empty when it forgot.
  std::string caption;  ///< Empty: none.
  std::string canary;   ///< A token that stands in `caption` and nowhere else; empty when the caption may leave.
  Stays stays = Stays::kNo;
};

/// The same spec and photos give the same arrivals on every machine. Photos with equal hashes get one class, the most
/// restrictive drawn for any of them, and never a caption that keeps only one of them home: so a hash alone tells
/// whether a photo may leave. `photo_sha256.size()` must be at least `spec.images`.
std::vector<Arrival> generate_arrivals(const WorkloadSpec& spec, std::span<const std::string> photo_sha256);

}  // namespace hearth::tool
