#include <hearth/outcome.h>

namespace hearth {

const char* name_of(OutcomeStatus status) {
  switch (status) {
    case OutcomeStatus::kServed:
      return "served";
    case OutcomeStatus::kRejected:
      return "rejected";
    case OutcomeStatus::kFailed:
      return "failed";
    case OutcomeStatus::kCancelled:
      return "cancelled";
  }
  return "failed";
}

const char* name_of(Reason reason) {
  switch (reason) {
    case Reason::kLocalByDefault:
      return "local_by_default";
    case Reason::kLocalConfident:
      return "local_confident";
    case Reason::kLocalOnlyPermitted:
      return "local_only_permitted";
    case Reason::kNoRoom:
      return "no_room";
    case Reason::kCloudUnhealthy:
      return "cloud_unhealthy";
    case Reason::kCloudFailed:
      return "cloud_failed";
    case Reason::kCloudAnswered:
      return "cloud_answered";
    case Reason::kNotWorthIt:
      return "not_worth_it";
    case Reason::kLocalFaster:
      return "local_faster";
    case Reason::kQueueFull:
      return "queue_full";
    case Reason::kQueueTooLong:
      return "queue_too_long";
    case Reason::kNoPermittedSite:
      return "no_permitted_site";
    case Reason::kInvalidRequest:
      return "invalid_request";
    case Reason::kDeadlinePassed:
      return "deadline_passed";
    case Reason::kEdgeFailed:
      return "edge_failed";
    case Reason::kCallerCancelled:
      return "caller_cancelled";
    case Reason::kShutDown:
      return "shut_down";
  }
  return "edge_failed";
}

const char* name_of(PlanKind plan) {
  switch (plan) {
    case PlanKind::kEdge:
      return "edge";
    case PlanKind::kCloud:
      return "cloud";
    case PlanKind::kCascade:
      return "cascade";
    case PlanKind::kSafetyNet:
      return "safety_net";
    case PlanKind::kHedge:
      return "hedge";
    case PlanKind::kReject:
      return "reject";
  }
  return "reject";
}

}  // namespace hearth
