// Answers that come in pieces: from the transport through the restorer to the app, and what they mean for the request.
#include "runtime/cloud/codec.h"
#include "runtime/cloud/text_stream.h"
#include "runtime/facade/core.h"

namespace hearth {

struct Runtime::Core::Pieces {
  Pieces(CloudApi api, std::shared_ptr<const privacy::Redaction> with) : stream(api), redaction(std::move(with)) {
    if (redaction) restorer.emplace(*redaction);
  }

  cloud::TextStream stream;
  std::shared_ptr<const privacy::Redaction> redaction;  ///< Null: nothing was redacted.
  std::optional<privacy::Restorer> restorer;
  std::string shown;  ///< What the app has had, all of it.
};

bool Runtime::Core::wants_pieces(const Entry& entry) {
  return entry.on_piece && cloud::has_pieces(entry.pair->pair.cloud.api);
}

void Runtime::Core::send_for_pieces(const EntryPtr& entry, AttemptId attempt, TimePoint deadline,
                                    privacy::Minted minted) {
  const auto pieces = std::make_shared<Pieces>(entry->pair->pair.cloud.api, std::move(minted.redaction));
  world_.transport->stream(
      attempt, std::move(minted.permit), deadline,
      [self = shared_from_this(), entry, attempt, pieces](std::string_view bytes) {
        self->pieces_arrived(entry, attempt, *pieces, bytes);
      },
      [self = shared_from_this(), entry, attempt, pieces](SendResult result) {
        self->pieces_finished(entry, attempt, pieces, std::move(result));
      });
}

void Runtime::Core::pieces_arrived(const EntryPtr& entry, AttemptId attempt, Pieces& pieces, std::string_view bytes) {
  std::string piece = pieces.stream.put(bytes);
  if (pieces.restorer) piece = pieces.restorer->push(piece);
  show_piece(entry, attempt, pieces, piece);
}

/// The first one settles who answers. A piece of an attempt that is no longer awaited goes nowhere.
void Runtime::Core::show_piece(const EntryPtr& entry, AttemptId attempt, Pieces& pieces, const std::string& piece) {
  if (piece.empty()) return;
  {
    Lock lock(mutex_);
    if (!entry->awaits(attempt)) return;
    if (pieces.shown.empty()) step(scheduler::CloudSpeaks{entry->id, attempt});
    if (!entry->awaits(attempt)) return;  // its deadline has passed meanwhile
    entry->in_piece = true;
  }
  pieces.shown += piece;
  entry->on_piece(piece);
  Lock lock(mutex_);
  entry->in_piece = false;
  left_.notify_all();
}

void Runtime::Core::pieces_finished(const EntryPtr& entry, AttemptId attempt, const PiecesPtr& pieces,
                                    SendResult result) {
  const bool whole = !pieces->stream.has_events();
  if (!result.reply.ok() || result.reply->status != 200 || whole) {
    return attempt_finished(entry, attempt, result, read_answer(*entry, result, {}, pieces->redaction.get()));
  }
  if (const Status ended = pieces->stream.finish(); !ended.ok()) {
    return attempt_finished(entry, attempt, result, ended.error());
  }
  if (pieces->restorer) show_piece(entry, attempt, *pieces, pieces->restorer->finish());
  const TensorSpec& spec = entry->pair->pair.cloud.outputs[0];
  std::vector<Tensor> outputs;
  outputs.push_back(Tensor::of_text(spec.name, pieces->shown));
  outputs[0].shape.assign(spec.shape.size(), 1);
  attempt_finished(entry, attempt, result, std::move(outputs));
}

}  // namespace hearth
