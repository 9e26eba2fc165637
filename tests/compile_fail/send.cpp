/// \file The door in the type system: the compiler is run on this file once per way to send. PERMITTED must compile,
/// the others must not; they differ in the one line that stands under their name.
#include <hearth/transport.h>

namespace hearth {

void send(Transport& transport, EgressPermit&& permit, Endpoint endpoint, HttpMessage message, TimePoint deadline) {
#if defined(PERMITTED)
  transport.send(1, std::move(permit), deadline, [](SendResult) {});
#elif defined(WITHOUT_PERMIT)
  transport.send(1, message, deadline, [](SendResult) {});
#elif defined(FORGED_PERMIT)
  transport.send(1, EgressPermit(endpoint, message), deadline, [](SendResult) {});
#elif defined(FORGED_WITH_BRACES)
  transport.send(1, {endpoint, message}, deadline, [](SendResult) {});
#elif defined(COPIED_PERMIT)
  transport.send(1, permit, deadline, [](SendResult) {});
#endif
}

}  // namespace hearth
