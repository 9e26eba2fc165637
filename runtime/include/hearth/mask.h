/// \file Mask: the set of sites a request may use. It can be narrowed and never widened.
#pragma once

#include <cstdint>

namespace hearth {

/// One place that can answer: 0 is this device (the edge), 1..31 are the cloud endpoints in the order of the
/// configuration.
using SiteId = std::uint8_t;
inline constexpr SiteId kEdgeSite = 0;
inline constexpr SiteId kMaxSites = 32;

/// A set of sites. There is deliberately no union and no `add`: a set of permissions only ever shrinks.
class Mask {
 public:
  constexpr Mask() = default;  ///< Nothing is permitted.
  /// Every one of the edge and `endpoints` cloud endpoints: where the permit stage begins before it takes sites out.
  static constexpr Mask all(unsigned endpoints) {
    return Mask(endpoints + 1 >= kMaxSites ? ~0u : (1u << (endpoints + 1)) - 1);
  }
  static constexpr Mask edge_only() { return Mask(1u); }

  constexpr bool has(SiteId site) const { return site < kMaxSites && (bits_ >> site & 1u) != 0; }
  constexpr bool has_cloud() const { return (bits_ & ~1u) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr Mask without(SiteId site) const { return Mask(site < kMaxSites ? bits_ & ~(1u << site) : bits_); }
  constexpr Mask without_cloud() const { return Mask(bits_ & 1u); }
  constexpr Mask operator&(Mask other) const { return Mask(bits_ & other.bits_); }
  constexpr std::uint32_t bits() const { return bits_; }
  constexpr bool operator==(const Mask&) const = default;

 private:
  explicit constexpr Mask(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

}  // namespace hearth
