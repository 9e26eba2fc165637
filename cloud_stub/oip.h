/// \file The server's own reading of the Open Inference Protocol v2 (REST, with binary tensors). It shares no code with
/// runtime/cloud/oip_codec, so that a mistake mirrored on both sides of one codec cannot hide.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/tensor.h>

#include "cloud_stub/models.h"

namespace hearth::stub {

/// A refusal: HTTP status and a message that never quotes what was received.
struct OipError {
  int status = 400;
  std::string message;
};

struct OutputAsk {
  std::string name;
  bool binary = false;
};

struct InferRequest {
  std::optional<std::string> id;
  /// In the order received. After an error: whatever could be decoded all the same, so that a tripwire misses nothing.
  std::vector<Tensor> inputs;
  std::vector<OutputAsk> outputs;           ///< Empty: all of the model's.
  std::optional<std::uint64_t> timeout_us;  ///< Triton's request parameter "timeout".
  bool binary_outputs = false;              ///< For outputs that were not asked for by name.
  std::optional<OipError> error;            ///< The first thing wrong with it.
};

/// JSON nested deeper than this is refused before it is parsed.
inline constexpr std::size_t kJsonDepthMax = 64;

/// Reads one infer body. `header_length` is the value of Inference-Header-Content-Length, when the header was there.
/// Any bytes are safe; nothing is thrown.
InferRequest parse_infer(std::string_view body, std::optional<std::string_view> header_length);

/// Puts `request.inputs` into the order of the model's inputs and takes optional ones out. An error when they are not
/// what the model takes, or when an unknown or repeated output is asked for.
std::optional<OipError> fit_to_model(InferRequest& request, const ModelInfo& info);

struct InferReply {
  std::string body;
  std::optional<std::size_t> header_length;  ///< Set when some output is binary.
};

/// The reply to `request`, of `outputs` as Model::run gave them. An error when JSON cannot hold an output.
std::optional<OipError> build_reply(const InferRequest& request, const ModelInfo& info,
                                    const std::vector<Tensor>& outputs, InferReply& reply);

/// Body of GET /v2/models/{m}.
std::string metadata_json(const ModelInfo& info);
/// {"error": message}
std::string error_json(std::string_view message);

}  // namespace hearth::stub
