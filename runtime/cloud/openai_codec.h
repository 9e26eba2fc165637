/// \file The OpenAI API for text: chat/completions, completions and embeddings, as vLLM, llama.cpp, Ollama and hosted
/// services speak it. Pure: bytes to bytes. API: platform.openai.com/docs/api-reference.
#pragma once

#include <string_view>
#include <vector>

#include <hearth/config.h>
#include <hearth/egress_permit.h>
#include <hearth/tensor.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// One request with `text`, to the API and model that `binding` names. The endpoint's URL ends where
/// `/chat/completions` begins ("https://api.example.com/v1"). No user, no id and no metadata: only model, text and the
/// pair's own settings.
/// `stream`: the answer is to come in pieces, for which see TextStream. Embeddings have none.
HttpMessage encode_openai(const CloudBinding& binding, std::string_view text, bool stream = false);

/// The answer as the binding's one output: BYTES [1], or the FP32 embedding in the binding's shape. Errors, none of
/// which quotes the reply or the server's own words: by status as status_error(), 404 kNotFound (no such model there);
/// kInvalidArgument when the server's content filter or the model itself refused; kCorrupt for anything that is not the
/// API's reply, an embedding of another length, or a number that is none.
Result<std::vector<Tensor>> decode_openai(const CloudBinding& binding, const HttpReply& reply);

}  // namespace hearth::cloud
