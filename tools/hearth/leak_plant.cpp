#include "tools/hearth/leak_plant.h"

#include <httplib.h>

#include "runtime/cloud/oip_codec.h"

namespace hearth::tool {
namespace {

struct Leak {
  const char* what;
  cloud::Encoding encoding;
  bool is_photo;
};
constexpr Leak kLeaks[] = {{"photo, JSON tensor", cloud::Encoding::kJson, true},
                           {"photo, binary tensor", cloud::Encoding::kBinary, true},
                           {"caption, JSON string", cloud::Encoding::kJson, false},
                           {"caption, binary BYTES", cloud::Encoding::kBinary, false}};

/// The status is of no interest: a request that the server answers with an injected error has arrived all the same.
Status post(const std::string& url, const HttpMessage& message) {
  httplib::Client client(url);
  client.set_read_timeout(20);
  httplib::Headers headers;
  std::string type = "application/octet-stream";
  for (const auto& [name, value] : message.headers) {
    if (name == "Content-Type" || name == "content-type") {
      type = value;
    } else if (name != "Content-Length" && name != "content-length") {
      headers.emplace(name, value);
    }
  }
  if (!client.Post(message.target, headers, message.body, type)) {
    return {ErrorCode::kUnavailable, "a planted leak got no reply from the cloud stub"};
  }
  return Done{};
}

}  // namespace

Result<std::vector<PlantedLeak>> plant_leaks(const StubProcess& stub, const CloudBinding& cloud, const Tensor& photo,
                                             const std::string& canary) {
  Tensor blank = photo;  // so that a caption's leak is seen by its canary alone
  std::fill(blank.data.begin(), blank.data.end(), std::byte{0});
  std::vector<PlantedLeak> planted;
  for (const Leak& leak : kLeaks) {
    if (!leak.is_photo && cloud.text_input.empty()) continue;
    const auto before = stub.tripwire();
    if (!before) return before.error();
    const HttpMessage message =
        cloud::encode_infer(cloud, {leak.is_photo ? &photo : &blank, 1}, leak.is_photo ? "" : "planted, ref " + canary,
                            "planted-" + std::to_string(planted.size()), leak.encoding);
    if (const auto sent = post(stub.url(), message); !sent) return sent.error();
    const auto after = stub.tripwire();
    if (!after) return after.error();
    const TripwireCount expected = leak.is_photo ? TripwireCount{1, 1, 0} : TripwireCount{1, 0, 1};
    planted.push_back({leak.what, after.value() - before.value() == expected});
  }
  return planted;
}

}  // namespace hearth::tool
