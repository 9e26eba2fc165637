#include "tools/hearth/export_command.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/command.h"
#include "tools/hearth/triton_repository.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kModelBytesMax = std::uint64_t{8} << 30;

struct Options {
  std::string pair;
  std::string folder;
  std::string model_file;
  std::string storage_uri;
  std::uint64_t batch_max = 0;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth export: " << what << '\n';
  return code;
}

bool write(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  return static_cast<bool>((out << text).flush());
}

/// Into a folder of its own, which takes its place when it is whole.
Status write_all(const TritonModel& model, const std::string& model_bytes, const fs::path& folder) {
  const fs::path partial = folder.string() + ".partial-" + std::to_string(::getpid());
  const fs::path version = partial / "repository" / model.name / model.version;
  std::error_code failure;
  fs::create_directories(version, failure);
  const bool written = !failure && write(version / "model.pt", model_bytes) &&
                       write(version.parent_path() / "config.pbtxt", model.config_pbtxt) &&
                       write(partial / "cloud.json", model.cloud_json) &&
                       write(partial / "inference_service.yaml", model.inference_yaml);
  if (written) fs::rename(partial, folder, failure);
  if (written && !failure) return Done{};
  std::error_code ignored;
  fs::remove_all(partial, ignored);
  return {ErrorCode::kInternal, "cannot write " + folder.string() + (failure ? ": " + failure.message() : "")};
}

int export_triton(const Options& options) {
  const auto pair = load_pair(options.pair);
  if (!pair.ok()) return complain(pair.error().message, kExitBadInput);
  const auto model = triton_model(*pair, options.batch_max, options.storage_uri);
  if (!model.ok()) return complain(options.pair + ": " + model.error().message, kExitBadInput);

  const fs::path file =
      options.model_file.empty() ? fs::path(options.pair).parent_path() / "cloud.pt" : fs::path(options.model_file);
  const auto bytes = read_whole_file(file.string(), kModelBytesMax);
  if (!bytes.ok()) return complain(bytes.error().message, kExitBadInput);
  const std::string sha256 = sha256_hex(bytes.value());
  if (!pair->cloud.sha256.empty() && sha256 != pair->cloud.sha256) {
    return complain(file.string() + ": its SHA-256 is not the one that " + options.pair + " names", kExitBadInput);
  }
  fs::path folder = fs::path(options.folder).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "dir/"
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(folder, ignored))) {
    return complain(folder.string() + " is there already: nothing is overwritten", kExitBadInput);
  }
  if (const auto written = write_all(*model, bytes.value(), folder); !written.ok()) {
    return complain(written.error().message, kExitFailed);
  }
  const std::string repository = (folder / "repository").string();
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"repository", repository},
                                        {"model", model->name},
                                        {"version", model->version},
                                        {"model_sha256", sha256},
                                        {"cloud", (folder / "cloud.json").string()},
                                        {"manifest", (folder / "inference_service.yaml").string()}}
                     .dump()
              << '\n';
  } else {
    std::cout << "model repository: " << repository << " (tritonserver --model-repository=" << repository << ")\n"
              << "pair's cloud half: " << (folder / "cloud.json").string()
              << "\nKServe manifest: " << (folder / "inference_service.yaml").string() << '\n';
  }
  return kExitOk;
}

}  // namespace

int export_main(int argc, char** argv) {
  Options options;
  CLI::App app("Writes a pair's cloud half for servers that serve many devices.", "hearth export");
  app.require_subcommand(1);
  auto* command = app.add_subcommand(
      "triton",
      "A model repository for Triton's PyTorch backend, the pair's cloud half in Triton's tensor names, and a KServe\n"
      "manifest. DIR must not exist.");
  command->add_option("PAIR", options.pair, "Pair file")->required();
  command->add_option("DIR", options.folder, "Folder to write")->required();
  command->add_option("--model-file", options.model_file, "TorchScript file of the cloud half [cloud.pt beside PAIR]");
  command->add_option("--batch-max", options.batch_max, "Let Triton batch so many requests [0: it does not]")
      ->check(CLI::Range(0, 65'536));
  command->add_option("--storage-uri", options.storage_uri,
                      "Where KServe finds the repository [pvc://models/repository]");
  command->add_flag("--json", options.json, "Print what was written as JSON");
  options.storage_uri = "pvc://models/repository";
  app.footer("How to use it: docs/scale.md.\nExample: hearth export triton models/pair.json build/triton\n" +
             std::string(kExitCodes));
  if (const auto code = parse_flags(app, argc, argv)) return *code;
  return export_triton(options);
}

}  // namespace hearth::tool
