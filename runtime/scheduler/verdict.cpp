#include "runtime/scheduler/verdict.h"

#include "runtime/cloud/retry_after.h"

namespace hearth::scheduler {

CloudEnd verdict_of(const SendResult& result, const Status& answer) {
  if (answer.ok()) return {CloudVerdict::kAnswered};
  if (!result.reply.ok()) {
    const bool reached =
        !result.silent && (result.bytes_sent > 0 || result.reply.error().code != ErrorCode::kUnavailable);
    return {reached ? CloudVerdict::kFailed : CloudVerdict::kUnreachable};
  }
  const HttpReply& reply = result.reply.value();
  const auto retry_after = cloud::retry_after(reply);
  if (reply.status == 429 || (reply.status == 503 && retry_after))
    return {CloudVerdict::kOverloaded, retry_after.value_or(Duration{})};
  return {answer.error().code == ErrorCode::kInvalidArgument ? CloudVerdict::kRefused : CloudVerdict::kFailed};
}

}  // namespace hearth::scheduler
