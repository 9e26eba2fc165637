// What audit_kill_test kills: writes egress records and, once each is recorded, "sends" by appending to a second file.
// usage: audit_kill_child LOG SENT FIRST_REQUEST
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "runtime/device/audit_log.h"
#include "runtime/device/file_journal.h"
#include "runtime/device/key_file.h"
#include "runtime/net/net.h"
#include "runtime/privacy/chained_journal.h"

namespace {

using namespace hearth;

struct Writer : std::enable_shared_from_this<Writer> {
  std::shared_ptr<EventLoop> loop;
  std::shared_ptr<Journal> journal;
  std::uint64_t next = 0;
  int sent = -1;

  void go_on() {
    const auto request = ++next;
    const std::string number = std::to_string(request);
    journal->append(R"({"kind":"decision","request":)" + number + "}", Durability::kWritten, [](Status) {});
    // Every other one only written: a process that is killed loses no written record.
    const auto durability = request % 2 == 0 ? Durability::kWritten : Durability::kSynced;
    journal->append(R"({"kind":"egress","at_s":1,"bytes":1,"request":)" + number + "}", durability,
                    [self = shared_from_this(), number](Status recorded) {
                      if (!recorded.ok()) std::exit(4);
                      const std::string line = number + "\n";
                      if (::write(self->sent, line.data(), line.size()) < 0) std::exit(5);
                      self->go_on();
                    });
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto writer = std::make_shared<Writer>();
  writer->loop = net::make_asio_loop();
  auto file = device::FileJournal::open(*writer->loop, argv[1]);
  if (!file.ok()) return std::fprintf(stderr, "%s\n", file.error().message.c_str()), 3;
  auto key = device::read_or_make_key(std::string(argv[1]) + ".key", file.value()->was_empty());
  // Small segments, so that many kills hit the beginning of one; all are kept, so that all can be checked.
  writer->journal = std::make_shared<privacy::ChainedJournal>(*writer->loop, std::move(file).value(), std::move(key),
                                                              privacy::ChainedJournal::Bounds{4096, 100'000, 10});
  if (auto past = writer->journal->replay(); !past.ok())
    return std::fprintf(stderr, "%s\n", past.error().message.c_str()), 3;
  writer->next = std::strtoull(argv[3], nullptr, 10);
  writer->sent = ::open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  for (int i = 0; i < 4; ++i) writer->loop->post([writer] { writer->go_on(); });  // several on their way at a time
  if (::write(STDOUT_FILENO, "r", 1) != 1) return 5;
  for (;;) ::pause();
}
