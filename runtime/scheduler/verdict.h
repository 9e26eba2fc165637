/// \file verdict_of: what the end of an attempt says of its endpoint.
#pragma once

#include <hearth/result.h>
#include <hearth/transport.h>

#include "runtime/scheduler/cloud_sites.h"

namespace hearth::scheduler {

struct CloudEnd {
  CloudVerdict verdict;
  Duration retry_after{};  ///< With kOverloaded: what the endpoint asked for; zero when it did not say.
};

/// `answer`: what the codec made of the reply.
CloudEnd verdict_of(const SendResult& result, const Status& answer);

}  // namespace hearth::scheduler
