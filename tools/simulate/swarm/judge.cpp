// Each check reads the story only: what an app and a wire tap can see.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include "runtime/cloud/retry_budget.h"
#include "tools/simulate/swarm/story.h"

namespace hearth::simulate {
namespace {

using Kind = WireEvent::Kind;
using Lines = std::vector<std::string>;

std::string named(std::size_t request) { return "request " + std::to_string(request); }

/// An attempt on the wire: when it was sent, and when it ended for the runtime.
struct Sent {
  const WireEvent* send = nullptr;
  const WireEvent* done = nullptr;
  const WireEvent* cancel = nullptr;
  int dones = 0;

  std::optional<TimePoint> over() const {
    if (cancel != nullptr && (done == nullptr || cancel < done)) return cancel->at;
    return done != nullptr ? std::optional(done->at) : std::nullopt;
  }
  /// What came before the runtime withdrew it.
  const WireEvent* verdict() const { return cancel == nullptr ? done : nullptr; }
};

std::map<AttemptId, Sent> attempts_of(const Story& story) {
  std::map<AttemptId, Sent> attempts;
  for (const auto& event : story.wire) {
    Sent& one = attempts[event.attempt];
    if (event.kind == Kind::kSend) one.send = &event;
    if (event.kind == Kind::kDone) one.done = &event, ++one.dones;
    if (event.kind == Kind::kCancel && one.cancel == nullptr) one.cancel = &event;
  }
  std::erase_if(attempts, [](const auto& one) { return one.second.send == nullptr; });  // withdrawn before it was sent
  return attempts;
}

void attempts_are_bounded(const Story& story, Lines& lines) {
  std::vector<unsigned> sent(story.requests.size());
  for (const auto& event : story.wire)
    if (event.kind == Kind::kSend) ++sent[event.request];
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    unsigned begun = 0;
    for (const auto& attempt : asked.outcome.attempts) begun += attempt.site != kEdgeSite;
    const unsigned most = std::max(sent[i], begun);
    if (most > asked.attempts_max) lines.push_back("G1: " + named(i) + " made too many attempts");
    if (!asked.idempotent && most > 1) lines.push_back("G7: " + named(i) + " is not idempotent and was sent twice");
  }
}

/// In any window the extra attempts are at most their share of the first ones, and the burst.
void amplification_is_bounded(const Story& story, Lines& lines) {
  std::vector<bool> seen(story.requests.size());
  const double share = story.timing.extra_attempts_share_max;
  double over = 0, worst = 0;
  std::size_t first = 0, all = 0;
  for (const auto& event : story.wire) {
    if (event.kind != Kind::kSend) continue;
    const bool extra = seen[event.request];
    seen[event.request] = true;
    over = std::max(0.0, over + (extra ? 1 : -share));
    worst = std::max(worst, over);
    if (story.healed != TimePoint{} && event.at >= story.healed) continue;
    ++all;
    first += !extra;
  }
  if (worst > cloud::RetryBudget::Options{}.burst + 1)
    lines.push_back("G2: " + std::to_string(worst) + " extra attempts beyond their share in a window");
  if (story.troubled && first >= 250 && static_cast<double>(all) > 1.2 * static_cast<double>(first))
    lines.push_back("G2: " + std::to_string(all) + " attempts for " + std::to_string(first) + " requests");
}

void deadlines_hold(const Story& story, Lines& lines) {
  for (const auto& [id, sent] : attempts_of(story)) {
    const Asked& asked = story.requests[sent.send->request];
    const TimePoint deadline = asked.at + asked.deadline;
    if (sent.send->at >= deadline || sent.send->deadline > deadline)
      lines.push_back("G3: " + named(sent.send->request) + " began an attempt after its deadline");
    if (!sent.over() || *sent.over() > deadline)
      lines.push_back("G3: an attempt of " + named(sent.send->request) + " outlived the deadline");
    if (asked.outcomes > 0 && sent.over() && *sent.over() > asked.finished)
      lines.push_back("G7: an attempt of " + named(sent.send->request) + " went on after the outcome");
    if (sent.dones != 1) lines.push_back("G5: an attempt ended " + std::to_string(sent.dones) + " times");
  }
  if (story.left_in_flight != 0) lines.push_back("G5: attempts are left in flight");
}

/// A breaker that has opened for certain (nobody could be reached, or enough failures in a row) lets one attempt at a
/// time through until something answers.
void trials_come_one_by_one(const Story& story, Lines& lines) {
  struct Site {
    bool open = false;
    TimePoint opened{};
    unsigned failures = 0;
    std::set<AttemptId> trials;
  };
  std::map<std::string, Site> sites;
  const auto attempts = attempts_of(story);
  for (const auto& event : story.wire) {
    const auto found = attempts.find(event.attempt);
    if (found == attempts.end()) continue;
    Site& site = sites[found->second.send->endpoint];
    if (event.kind == Kind::kSend) {
      // What was decided before it opened may still leave.
      if (!site.open || event.at <= site.opened + story.write_time) continue;
      site.trials.insert(event.attempt);
      if (site.trials.size() > 1) lines.push_back("G4: two trials at a time at " + event.endpoint);
      continue;
    }
    site.trials.erase(event.attempt);
    if (found->second.verdict() != &event) continue;
    const bool overloaded = event.status == 429 || (event.status == 503 && event.retry_after > Duration{});
    if (event.status == 0 || (event.status >= 500 && !overloaded)) {
      const bool enough = ++site.failures >= story.timing.breaker_failures || event.unreachable;
      if (enough && !site.open) site.open = true, site.opened = event.at;
    } else if (!overloaded) {  // an answer, or what this check cannot tell from one
      site = Site{};
    }
  }
}

void retry_after_is_obeyed(const Story& story, Lines& lines) {
  std::map<std::string, TimePoint> asked_at, until;
  const auto attempts = attempts_of(story);
  for (const auto& event : story.wire) {
    const auto found = attempts.find(event.attempt);
    if (found == attempts.end()) continue;
    const std::string& endpoint = found->second.send->endpoint;
    if (event.kind == Kind::kSend) {
      if (until.contains(endpoint) && event.at > asked_at[endpoint] + story.write_time && event.at < until[endpoint])
        lines.push_back("G6: " + endpoint + " was asked although it had asked for peace");
    } else if (event.kind == Kind::kDone && found->second.verdict() == &event && event.retry_after > Duration{} &&
               (event.status == 429 || event.status == 503)) {
      const TimePoint now_until = event.at + std::min(event.retry_after, story.timing.retry_after_max);
      if (now_until <= until[endpoint]) continue;
      // What had been decided before the last one that asked may still leave.
      if (event.at >= until[endpoint]) asked_at[endpoint] = event.at;
      until[endpoint] = now_until;
    }
  }
}

/// The edge says its sureness and two zeros, a cloud 9 and two zeros; only their order may be another, for a server
/// that errs (wrong_answer) cannot be told from one that does not.
bool said_by_a_site(const Asked& asked) {
  const Outcome& outcome = asked.outcome;
  if (outcome.outputs.size() != 1 || outcome.outputs[0].datatype != Datatype::kFp32) return false;
  const auto values = outcome.outputs[0].floats();
  if (values.size() != 3) return false;
  const bool edge = outcome.served_on == "edge";
  return std::count(values.begin(), values.end(), 0.0f) >= 2 &&
         *std::max_element(values.begin(), values.end()) == (edge ? asked.sureness : 9.0f);
}

/// One outcome each, in time, and from an answer that was still wanted.
void outcomes_are_right(const Story& story, Lines& lines) {
  std::map<std::size_t, std::vector<Sent>> by_request;
  for (const auto& [id, sent] : attempts_of(story)) by_request[sent.send->request].push_back(sent);
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    const Outcome& outcome = asked.outcome;
    if (asked.outcomes != 1) {
      lines.push_back("G9: " + named(i) + " has " + std::to_string(asked.outcomes) + " outcomes");
      continue;
    }
    if (asked.finished > asked.at + asked.deadline) lines.push_back("G11: " + named(i) + " had its outcome late");
    const bool served = outcome.status == OutcomeStatus::kServed;
    if (served != !outcome.served_on.empty() || served == outcome.outputs.empty())
      lines.push_back("G11: " + named(i) + " has neither an answer nor a reason");
    if (served && !said_by_a_site(asked)) lines.push_back("G8: " + named(i) + " was answered what no site said");
    if (!served || outcome.served_on == "edge") continue;
    const auto& sent = by_request[i];
    const bool answered = std::any_of(sent.begin(), sent.end(), [&](const Sent& one) {
      const auto* verdict = one.verdict();
      return verdict != nullptr && verdict->status == 200 && verdict->at <= asked.finished &&
             one.send->endpoint == outcome.served_on;
    });
    if (!answered) lines.push_back("G8: " + named(i) + " was answered by an attempt that was over");
  }
}

/// A device that does nothing else gives its own answer.
void idle_edge_answers(const Story& story, Lines& lines) {
  TimePoint busy_until{};
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    const bool alone_before = asked.at >= busy_until + story.edge_takes;
    const bool alone_after = i + 1 == story.requests.size() || story.requests[i + 1].at > asked.finished;
    busy_until = std::max(busy_until, asked.finished);
    if (!story.edge_works || !asked.edge || !alone_before || !alone_after) continue;
    if (asked.deadline < 4 * story.edge_takes + story.timing.local_reserve) continue;
    const auto status = asked.outcome.status;
    if (status != OutcomeStatus::kServed && status != OutcomeStatus::kCancelled)
      lines.push_back("G11: " + named(i) + " got no answer from an idle device: " + name_of(asked.outcome.reason));
  }
}

/// Who waits for a slot until the deadline has seen none free.
void slots_do_not_lie_idle(const Story& story, Lines& lines) {
  if (story.edge_slots == 0 || !story.edge_works) return;
  std::vector<TimePoint> began;
  for (const Asked& asked : story.requests)
    for (const Attempt& attempt : asked.outcome.attempts)
      if (attempt.site == kEdgeSite) began.push_back(asked.at + attempt.began);
  std::sort(began.begin(), began.end());
  // A pass that nobody waits for any more goes on too.
  const auto busy = [&](TimePoint at) {
    return static_cast<std::size_t>(std::upper_bound(began.begin(), began.end(), at) -
                                    std::lower_bound(began.begin(), began.end(), at - story.edge_takes));
  };
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    const PlanKind plan = asked.outcome.plan;
    const bool waited = asked.edge && asked.outcome.reason == Reason::kDeadlinePassed &&
                        asked.outcome.attempts.empty() && plan != PlanKind::kCloud && plan != PlanKind::kHedge;
    if (!waited) continue;
    const auto last = std::upper_bound(began.begin(), began.end(), asked.finished - story.edge_takes);
    for (auto pass = std::lower_bound(began.begin(), began.end(), asked.at - story.edge_takes); pass < last; ++pass) {
      const TimePoint over = *pass + story.edge_takes + Duration(1);
      if (over < asked.at || over >= asked.finished || busy(over) >= story.edge_slots) continue;
      lines.push_back("G11: " + named(i) + " waited for a slot while one was free");
      break;
    }
  }
}

void nothing_leaks(const Story& story, Lines& lines) {
  for (const auto& event : story.wire) {
    if (event.kind != Kind::kSend) continue;
    if (event.canary) lines.push_back("G10: what must stay was sent by " + named(event.request));
    if (!story.requests[event.request].permitted.contains(event.endpoint))
      lines.push_back("G10: " + named(event.request) + " went to " + event.endpoint + ", which is not permitted");
  }
}

/// What is in force at the moment of sending counts too, whatever it was when the attempt began.
void what_narrows_counts(const Story& story, Lines& lines) {
  auto now = story.in_force.begin();
  for (std::size_t i = 0; i < story.wire.size() && now != story.in_force.end(); ++i) {
    while (now + 1 != story.in_force.end() && (now + 1)->wire_before <= i) ++now;
    const WireEvent& event = story.wire[i];
    if (event.kind != Kind::kSend) continue;
    const Asked& asked = story.requests[event.request];
    if (!now->consent) lines.push_back("G10: " + named(event.request) + " was sent without consent");
    if (!(asked.regional ? now->in_eu : now->open).contains(event.endpoint))
      lines.push_back("G10: " + named(event.request) + " went to " + event.endpoint + " although it is closed by now");
  }
}

void taint_holds(const Story& story, Lines& lines) {
  struct Taint {
    TimePoint from, until;
    std::size_t request;  ///< That brought it.
  };
  std::map<std::string, std::vector<Taint>> taints;
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    if (asked.taints && !asked.session.empty()) taints[asked.session].push_back({asked.at, asked.at + kTaint, i});
  }
  for (const auto& [at, session] : story.forgotten)
    for (Taint& one : taints[session])
      if (one.from <= at) one.until = std::min(one.until, at);
  for (const auto& event : story.wire) {
    if (event.kind != Kind::kSend) continue;
    const auto found = taints.find(story.requests[event.request].session);
    if (found == taints.end()) continue;
    // What comes at the very moment of the taint may have been sent before it.
    for (const Taint& one : found->second)
      if (event.at > one.from && event.at < one.until)
        lines.push_back("G10: " + named(event.request) + " left the session that " + named(one.request) + " tainted");
  }
}

/// Nothing is sent that the plan does not ask for.
void plans_are_kept(const Story& story, Lines& lines) {
  std::vector<bool> sent(story.requests.size());
  for (const auto& event : story.wire)
    if (event.kind == Kind::kSend) sent[event.request] = true;
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    if (!sent[i]) continue;
    const Asked& asked = story.requests[i];
    const auto& attempts = asked.outcome.attempts;
    const bool local = std::any_of(attempts.begin(), attempts.end(), [](const Attempt& attempt) {
      return attempt.site == kEdgeSite && attempt.error.empty();
    });
    if (asked.offline) lines.push_back("G13: " + named(i) + " was sent by a device that is offline");
    if (asked.outcome.plan == PlanKind::kEdge && local)
      lines.push_back("G13: " + named(i) + " was to stay on the edge and was sent");
    if (asked.outcome.plan == PlanKind::kCascade && local && asked.outcome.confidence >= kConfident)
      lines.push_back("G13: " + named(i) + " was sent although the local answer is sure");
  }
}

void time_goes_on(const Story& story, Lines& lines) {
  for (std::size_t i = 1; i < story.wire.size(); ++i)
    if (story.wire[i].at < story.wire[i - 1].at) lines.push_back("G12: time went back");
}

/// Attempts on the wire when each request of the story came.
std::vector<std::size_t> in_flight_at_arrivals(const Story& story) {
  std::vector<std::size_t> counts;
  std::set<AttemptId> out;
  auto event = story.wire.begin();
  for (const auto& asked : story.requests) {
    for (; event != story.wire.end() && event->at < asked.at; ++event) {
      if (event->kind == WireEvent::Kind::kSend) {
        out.insert(event->attempt);
      } else {
        out.erase(event->attempt);
      }
    }
    counts.push_back(out.size());
  }
  return counts;
}

/// Once the longest pause after the last fault is over, every endpoint answers again. A request that came while as many
/// attempts were out as may be (slow links, a small limit) proves nothing.
void all_heals(const Story& story, Lines& lines) {
  struct Proof {
    std::size_t asked = 0, answered = 0;
  };
  std::map<std::string, Proof> proofs;
  const auto in_flight = in_flight_at_arrivals(story);
  for (std::size_t i = 0; i < story.requests.size(); ++i) {
    const Asked& asked = story.requests[i];
    if (asked.proves.empty()) continue;
    Proof& proof = proofs[asked.proves];
    const bool answered = asked.outcome.served_on == asked.proves;
    if (!answered && story.in_flight_max > 0 && in_flight[i] >= story.in_flight_max) continue;
    ++proof.asked;
    proof.answered += answered;
  }
  for (const auto& [endpoint, proof] : proofs)
    if (proof.answered == 0 || 10 * proof.answered < 9 * proof.asked)
      lines.push_back("G4: " + endpoint + " answered " + std::to_string(proof.answered) + " of " +
                      std::to_string(proof.asked) + " once the longest pause after the last fault was over");
}

}  // namespace

std::vector<std::string> violations(const Story& story) {
  Lines lines;
  for (const auto& check : {attempts_are_bounded, amplification_is_bounded, deadlines_hold, trials_come_one_by_one,
                            retry_after_is_obeyed, outcomes_are_right, idle_edge_answers, slots_do_not_lie_idle,
                            nothing_leaks, what_narrows_counts, taint_holds, plans_are_kept, time_goes_on, all_heals})
    check(story, lines);
  return lines;
}

}  // namespace hearth::simulate
