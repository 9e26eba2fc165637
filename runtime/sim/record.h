/// \file Record: what became of one simulated request, and what the other road would have led to.
#pragma once

#include <cstdint>

#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/plan.h>
#include <hearth/time.h>

namespace hearth::sim {

/// One site as it would have been for this request alone, by the very draws that the simulation holds for it: without
/// other requests' transfers, behind the server's queue as it stood when the request came. Only an oracle knows it.
struct Road {
  bool open = false;  ///< The mask permits it, and it would have answered.
  Duration latency{};
  bool correct = false;
  double usd = 0;
  double joules = 0;
};

struct Record {
  std::uint64_t id = 0;  ///< In order of arrival over all devices, from 1.
  std::uint32_t device = 0;
  std::uint16_t stream = 0;
  std::uint16_t model = 0;
  std::uint8_t data_class = 0;
  Mask mask;
  PlanKind plan = PlanKind::kEdge;
  std::uint16_t permit_rule = 0xffff;
  std::uint16_t prefer_rule = 0xffff;
  OutcomeStatus status = OutcomeStatus::kFailed;
  Reason reason = Reason::kEdgeFailed;
  SiteId answered_by = kEdgeSite;  ///< Meaningful when served.
  TimePoint arrived{};
  Duration latency{};
  Duration deadline{};
  bool in_time = false;        ///< Served, and no later than its deadline.
  bool correct = false;        ///< Served, and the answer is the right one.
  float confidence = 0;        ///< Of the local answer; 0 when it never ran.
  std::uint8_t attempts = 0;   ///< Cloud attempts that were begun.
  std::uint64_t bytes_up = 0;  ///< Of the user's, over all attempts.
  double usd = 0;
  double joules = 0;
  // Where the time went. Of the site that answered; zero where nothing did.
  Duration edge_wait{};    ///< Until the local pass began, where one ran.
  Duration edge_time{};    ///< Of that pass.
  Duration cloud_began{};  ///< When the attempt that answered began, since the request came.
  Duration cloud_time{};   ///< Of that attempt, on the wire and at the server.
  Duration up_time{};      ///< Its part until the server had the whole request.
  Duration server_time{};  ///< Its part at the server, queue included.
  Duration server_wait{};  ///< Its part in the server's queue.
  Road edge;               ///< The roads, taken or not.
  Road cloud;              ///< The best endpoint's.
};

/// Takes records in the order in which the requests ended. Threads: one.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void take(const Record& record) = 0;
};

}  // namespace hearth::sim
