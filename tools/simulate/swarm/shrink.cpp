#include "tools/simulate/swarm/shrink.h"

#include <algorithm>
#include <cctype>

namespace hearth::simulate {
namespace {

constexpr std::size_t kOneByOne = 12;  ///< Requests that are made plainer one by one; more only together.

/// The world as if the trouble had ended at `end`.
SwarmWorld until(SwarmWorld world, Duration end) {
  world.trouble = end;
  const auto later = [end](const auto& one) { return one.at >= end; };
  std::erase_if(world.acts, later);
  std::erase_if(world.requests, later);
  for (auto& [endpoint, timeline] : world.endpoints) {
    std::erase_if(timeline.faults, later);
    for (auto& fault : timeline.faults)
      if (fault.length != sim::kForever) fault.length = std::min(fault.length, end - fault.at);
  }
  return world;
}

class Shrinker {
 public:
  Shrinker(const SwarmWorld& world, const std::string& line, const JudgeWorld& judge, std::size_t runs_max)
      : shrunk_{world, line, 0}, breach_(breach_of(line)), judge_(judge), runs_max_(runs_max) {}

  Shrunk run() {
    while (pass()) {}
    return std::move(shrunk_);
  }

 private:
  bool pass() {
    bool smaller = false;
    smaller |= shorten();
    smaller |= plainer([](SwarmWorld& world) { world.recovery = false; });
    smaller |= plainer([](SwarmWorld& world) { world.shut_down.reset(); });
    smaller |= reduce([](SwarmWorld & world) -> auto& { return world.requests; });
    smaller |= reduce([](SwarmWorld & world) -> auto& { return world.acts; });
    smaller |= reduce(
        [](SwarmWorld & world) -> auto& { return world.endpoints; }, 1);
    for (std::size_t i = 0; i < shrunk_.world.endpoints.size(); ++i)
      smaller |= reduce([i](SwarmWorld & world) -> auto& { return world.endpoints[i].faults.faults; });
    smaller |= make_plain();
    return smaller;
  }

  /// Takes the candidate when it breaks the same.
  bool takes(SwarmWorld candidate) {
    if (shrunk_.runs >= runs_max_) return false;
    ++shrunk_.runs;
    for (auto& line : judge_(candidate)) {
      if (breach_of(line) != breach_) continue;
      shrunk_.world = std::move(candidate);
      shrunk_.broken = std::move(line);
      return true;
    }
    return false;
  }

  bool shorten() {
    bool smaller = false;
    while (shrunk_.world.trouble > std::chrono::milliseconds(20) &&
           takes(until(shrunk_.world, std::chrono::floor<std::chrono::milliseconds>(shrunk_.world.trouble / 2))))
      smaller = true;
    return smaller;
  }

  /// Leaves out ever smaller pieces of a list.
  template <class ListOf>
  bool reduce(const ListOf& list_of, std::size_t least = 0) {
    bool smaller = false;
    for (std::size_t piece = list_of(shrunk_.world).size(); piece > 0; piece /= 2) {
      for (std::size_t i = 0; i + piece <= list_of(shrunk_.world).size();) {
        SwarmWorld candidate = shrunk_.world;
        auto& list = list_of(candidate);
        const auto from = list.begin() + static_cast<std::ptrdiff_t>(i);
        list.erase(from, from + static_cast<std::ptrdiff_t>(piece));
        const bool taken = list.size() >= least && takes(std::move(candidate));
        smaller |= taken;
        if (!taken) i += piece;
      }
    }
    return smaller;
  }

  template <class Change>
  bool plainer(const Change& change) {
    SwarmWorld candidate = shrunk_.world;
    change(candidate);
    return world_json(candidate) != world_json(shrunk_.world) && takes(std::move(candidate));
  }

  bool make_plain() {
    bool smaller = false;
    smaller |= plainer([](SwarmWorld& world) { world.troubled = false; });
    smaller |= plainer([](SwarmWorld& world) { world.edge_failing = 0; });
    smaller |= plainer([](SwarmWorld& world) { world.journal_write = {}; });
    smaller |= plainer([](SwarmWorld& world) { world.written_records = true; });
    smaller |= plainer([](SwarmWorld& world) { world.audit_decisions = false; });
    smaller |= plainer([](SwarmWorld& world) { world.limits = {}; });
    smaller |= plainer([](SwarmWorld& world) { world.link.round_trip_sigma = world.server.service_sigma = 0; });
    smaller |= plainer([](SwarmWorld& world) { world.look_up = {}; });
    smaller |= plainer([](SwarmWorld& world) { world.policy.objective = false; });
    smaller |= plainer([](SwarmWorld& world) { world.policy.closed.clear(); });
    smaller |= plainer([](SwarmWorld& world) { world.policy.edge = true; });
    for (std::size_t i = 0; i < shrunk_.world.endpoints.size(); ++i)
      for (std::size_t j = 0; j < shrunk_.world.endpoints[i].faults.faults.size(); ++j)
        smaller |= plainer([&](SwarmWorld& world) { world.endpoints[i].faults.faults[j].probability = 1; });
    return make_requests_plain() || smaller;
  }

  bool make_requests_plain() {
    using Change = void (*)(SwarmRequest&);
    constexpr Change kChanges[] = {
        [](SwarmRequest& one) { one.mail = false; },      [](SwarmRequest& one) { one.malformed = false; },
        [](SwarmRequest& one) { one.session.clear(); },   [](SwarmRequest& one) { one.label = "public"; },
        [](SwarmRequest& one) { one.idempotent = true; }, [](SwarmRequest& one) { one.priority = Priority::kNormal; },
        [](SwarmRequest& one) { one.sureness = 0; },
    };
    bool smaller = false;
    for (const Change change : kChanges) {
      smaller |=
          plainer([&](SwarmWorld& world) { std::for_each(world.requests.begin(), world.requests.end(), change); });
      for (std::size_t i = 0; i < shrunk_.world.requests.size() && shrunk_.world.requests.size() <= kOneByOne; ++i)
        smaller |= plainer([&](SwarmWorld& world) { change(world.requests[i]); });
    }
    return smaller;
  }

  Shrunk shrunk_;
  std::string breach_;
  const JudgeWorld& judge_;
  std::size_t runs_max_;
};

}  // namespace

std::string breach_of(const std::string& line) {
  const auto words = std::min(line.find(' '), line.size());
  std::string breach = line.substr(0, words);  // the guarantee's own number stays
  bool number = false;
  for (const char c : line.substr(words)) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0 || (number && c == '.');
    if (!digit) breach += c;
    if (digit && !number) breach += '#';
    number = digit;
  }
  return breach;
}

Shrunk shrink(const SwarmWorld& world, const std::string& line, const JudgeWorld& judge, std::size_t runs_max) {
  return Shrinker(world, line, judge, runs_max).run();
}

}  // namespace hearth::simulate
