/// \file Runtime::Core: carries out what the scheduler decides. One mutex around each step; never held during a forward
/// pass, a callback or I/O.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <hearth/runtime.h>

#include "runtime/privacy/audit_records.h"
#include "runtime/privacy/guard.h"
#include "runtime/scheduler/core.h"
#include "runtime/signals/profile.h"

namespace hearth {

class Runtime::Core : public std::enable_shared_from_this<Runtime::Core> {
 public:
  Core(const RuntimeConfig& config, std::shared_ptr<const policies::Policy> policy, World world, LogCallback log);

  /// Loads the pairs and replays the journal. Before any request.
  Status start();
  Outcome infer(const Request& request);
  RequestId submit(Request request, Callback done, PieceCallback on_piece = {});
  bool cancel(RequestId request);
  void set_device_state(const DeviceState& state);
  void set_consent(Consent consent);
  void end_session(std::string_view session);
  void forget_session(std::string_view session);
  void shutdown();
  /// shutdown(), then lets go of the world but for its loop. Nothing may be called afterwards.
  void close();
  std::string policy_sha256();
  Status reload_policy(std::string_view json);
  std::string profile();

 private:
  struct LoadedPair {
    ModelPair pair;
    EdgeModel* model;  ///< One of models_: not to be touched once closed_.
    std::uint16_t index;
    Mask sites;  ///< Those that can answer it: the edge, and the endpoints that speak its cloud half's API.
  };
  /// An attempt under way. Its story is `outcome.attempts[story]`.
  struct OnItsWay {
    AttemptId attempt;
    std::size_t story;
  };

  /// One request on its way. Guarded by mutex_.
  struct Entry {
    RequestId id = 0;
    std::shared_ptr<const Request> request;  ///< Borrowed from the caller of infer() until it goes to the cloud.
    std::shared_ptr<const LoadedPair> pair;
    privacy::Judgement judgement;
    bool classified = false;  ///< judgement is one.
    TimePoint submitted{};
    Duration deadline{};
    Callback done;           ///< Empty: a caller waits in infer().
    PieceCallback on_piece;  ///< Empty: the answer is wanted whole.
    bool in_piece = false;   ///< on_piece is running.
    bool run_edge = false;   ///< The waiting caller is to run the forward pass.
    bool finished = false;
    std::condition_variable changed;
    std::vector<Tensor> edge_text;  ///< The request's text as the input of an edge model that takes it.
    std::vector<Tensor> edge_outputs;
    std::vector<Tensor> cloud_outputs;
    Outcome outcome;  ///< Attempts and confidence are filled in on the way, the rest at the end.
    std::size_t edge_story = 0;
    std::vector<OnItsWay> on_cloud;
    bool timer_asked = false;

    bool awaits(AttemptId attempt) const;
    std::size_t story_of(AttemptId attempt) const;
    std::optional<TimerId> timer;  ///< Loop thread only.
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Lock = std::unique_lock<std::mutex>;

  // Admission
  RequestId admit(const EntryPtr& entry);
  Status check(const Request& request, const LoadedPair* pair) const;
  void refuse(const EntryPtr& entry, Reason reason, std::string message);

  // Carrying out decisions; with the lock held
  void step(const scheduler::Event& event);
  void on(const scheduler::RunEdge& action, const EntryPtr& entry, TimePoint now);
  void on(const scheduler::StartCloud& action, const EntryPtr& entry, TimePoint now);
  void on(const scheduler::CancelCloud& action, const EntryPtr& entry, TimePoint now);
  void on(const scheduler::ProbeCloud& action, const EntryPtr& entry, TimePoint now);
  void on(const scheduler::SetTimer& action, const EntryPtr& entry, TimePoint now);
  void on(const scheduler::Finish& action, const EntryPtr& entry, TimePoint now);
  void deliver(const EntryPtr& entry);
  void start_edge(const EntryPtr& entry);
  struct Batch;
  void start_batch();
  static void keep_request(Entry& entry);
  static std::span<const Tensor> edge_inputs(Entry& entry);
  void attempt_denied(const EntryPtr& entry, AttemptId attempt, const Error& error);
  void end_attempt(Entry& entry, AttemptId attempt, ErrorCode error, std::uint64_t bytes_sent);
  void keep_records();
  void withdraw_session(std::string_view session);
  void read_probe_when_old();
  void watch_policy();
  signals::Profile learned_before() const;
  Status start_edge_from(const LoadedPair& pair, const signals::Profile& learned);
  void start_cloud_from(const signals::Profile& learned);
  privacy::Moment this_moment() const;
  std::string next_wire_id();

  // Called without the lock: by any thread, or the loop's
  void edge_finished(const EntryPtr& entry, EdgeModel::Outputs outputs);
  void hand_over(RequestId id);
  void set_timer(const EntryPtr& entry, TimePoint due);
  void begin_attempt(const EntryPtr& entry, AttemptId attempt, SiteId site, TimePoint deadline);
  void spend(const EntryPtr& entry, AttemptId attempt, SiteId site, TimePoint deadline, privacy::Minted minted,
             const std::string& wire_id);
  /// One attempt whose answer comes in pieces. Loop thread only.
  struct Pieces;
  using PiecesPtr = std::shared_ptr<Pieces>;
  static bool wants_pieces(const Entry& entry);
  void send_for_pieces(const EntryPtr& entry, AttemptId attempt, TimePoint deadline, privacy::Minted minted);
  void pieces_arrived(const EntryPtr& entry, AttemptId attempt, Pieces& pieces, std::string_view bytes);
  void show_piece(const EntryPtr& entry, AttemptId attempt, Pieces& pieces, const std::string& piece);
  void pieces_finished(const EntryPtr& entry, AttemptId attempt, const PiecesPtr& pieces, SendResult result);
  using Answer = Result<std::vector<Tensor>>;
  Answer read_answer(const Entry& entry, const SendResult& result, const std::string& wire_id,
                     const privacy::Redaction* redaction) const;
  void attempt_finished(const EntryPtr& entry, AttemptId attempt, const SendResult& result, Answer answer);
  void drain_records();
  void note_decision(const Entry& entry, SiteId served_on);  ///< With the lock held.
  void drain_decisions();
  void keep_decision(std::string record);
  void journal_failed(const Error& error);
  void release_world();
  void log(LogLevel level, const std::string& line) const;

  const RuntimeConfig config_;
  const LogCallback log_;
  EventLoop& loop_;  ///< Owned by Runtime: closures that wait in the loop hold this core.
  World world_;
  std::shared_ptr<void> policy_watch_;
  std::vector<std::shared_ptr<EdgeModel>> models_;
  std::map<std::string, std::shared_ptr<const LoadedPair>, std::less<>> pairs_;  ///< Constant after start().

  std::mutex mutex_;
  PrivacyGuard guard_;
  scheduler::SchedulerCore scheduler_;
  std::vector<scheduler::Action> actions_;
  std::vector<EntryPtr> together_;  ///< The members so far of the pass that the actions being carried out tell of.
  std::unordered_map<RequestId, EntryPtr> entries_;
  std::map<RequestId, EntryPtr> undelivered_;  ///< Have an outcome that their callback has not seen yet.
  std::vector<std::string> records_;           ///< On their way to the journal.
  struct NotedDecision {
    privacy::Decision decision;
    std::shared_ptr<const LoadedPair> pair;
  };
  bool audits_ = false;                   ///< Decisions are recorded. Constant.
  std::vector<NotedDecision> decisions_;  ///< On their way to the journal.
  std::uint64_t decisions_lost_ = 0;      ///< Since the last that found room.
  bool decisions_asked_ = false;          ///< drain_decisions() will run.
  TimePoint decisions_drain_due_{};       ///< Not before. This and the next: loop thread only.
  std::size_t decisions_writing_ = 0;     ///< With the journal.
  std::uint64_t wire_ids_ = 0;            ///< Given out so far.
  DeviceState app_device_;
  DeviceState probed_device_;
  TimePoint probed_at_{};
  const WallTime started_wall_;
  const TimePoint started_;
  RequestId last_id_ = 0;
  std::size_t callers_ = 0;    ///< Inside infer().
  std::size_t passes_ = 0;     ///< Begun by start_edge() and not yet reported in full.
  std::size_t callbacks_ = 0;  ///< Running.
  std::condition_variable left_;
  bool closed_ = false;
};

}  // namespace hearth
