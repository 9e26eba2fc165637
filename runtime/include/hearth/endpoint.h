/// \file Endpoint: where a cloud model is reached, what is spoken there, and where the credentials for it are found.
#pragma once

#include <cstdint>
#include <string>

namespace hearth {

/// What an endpoint speaks. A pair's cloud half names the API it wants, and only endpoints that speak it are asked.
enum class Protocol : std::uint8_t {
  kOip,     ///< The Open Inference Protocol v2 over REST: Triton, KServe, OVMS, MLServer.
  kOpenai,  ///< The OpenAI API for text: vLLM, llama.cpp, Ollama and hosted services.
};

/// How tensors travel in the Open Inference Protocol.
enum class Encoding : std::uint8_t {
  kJson,    ///< Every server of the protocol takes it.
  kBinary,  ///< Smaller and exact; an extension that Triton, KServe and OVMS have.
};

/// Where a credential is found. The credential itself stands in no configuration, message, record or log line: the
/// transport reads it for each attempt, so that a file may be renewed while the runtime runs.
struct Auth {
  enum class Kind : std::uint8_t {
    kNone,
    kBearer,  ///< `Authorization: Bearer ...` (RFC 6750).
    kApiKey,  ///< The value alone, in `header`.
  };
  enum class Source : std::uint8_t { kEnvironment, kFile };

  Kind kind = Kind::kNone;
  Source source = Source::kEnvironment;
  std::string reference;             ///< Name of the environment variable, or path of the file.
  std::string header = "x-api-key";  ///< Of an API key.

  bool operator==(const Auth&) const = default;
};

/// Where a cloud model is reached.
struct Endpoint {
  std::string name;
  std::string url;     ///< `https://host[:port][/base]`, or `http://` to a loopback address only.
  std::string region;  ///< As the policy names it; empty is unknown and permits no class that asks for a region.
  double usd_per_request =
      0;                   ///< What an attempt costs, counted against the policy's budget whether it answers or not.
  double usd_per_mib = 0;  ///< And each MiB of its body.
  Protocol protocol = Protocol::kOip;
  Encoding encoding = Encoding::kBinary;  ///< For kOip.
  Auth auth{};
  double weight = 1;  ///< Its share of the requests that others could serve about as well, by the others' weights.

  bool operator==(const Endpoint&) const = default;
};

}  // namespace hearth
