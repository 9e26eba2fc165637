// `hearth prepare`, `hearth optimize`, `hearth profile`, `hearth run` and `hearth observe`, the commands that need
// LibTorch: flags in, an exit code out.
#include <exception>
#include <iostream>
#include <string>

#include "tools/hearth/command.h"
#include "tools/hearth/observe.h"
#include "tools/hearth/optimize_command.h"
#include "tools/hearth/prepare.h"
#include "tools/hearth/profile_command.h"
#include "tools/hearth/run.h"

namespace {

using namespace hearth::tool;

void describe_prepare(CLI::App& prepare, PrepareOptions& options) {
  prepare.footer(std::string("Example: hearth prepare\n"
                             "         hearth prepare --out /tmp/models --epochs 2 --json\n") +
                 kExitCodes);
  prepare.add_option("--out", options.out, "Folder for the models, pair.json and prepare.json")->capture_default_str();
  prepare.add_option("--data", options.data, "Folder with the four gzip IDX files")->capture_default_str();
  prepare.add_option("--epochs", options.epochs, "Passes over the training images, 1 to 100")
      ->check(whole_number())
      ->capture_default_str();
  prepare.add_option("--train-images", options.train_images, "Only the first so many, 1 to 55000; 0: all")
      ->check(whole_number())
      ->capture_default_str();
  prepare.add_option("--seed", options.seed, "Seed of weights and order")->check(whole_number())->capture_default_str();
  prepare.add_option("--threads", options.threads, "Threads of the training, 1 to 64")
      ->check(whole_number())
      ->capture_default_str();
  prepare.add_flag("--force", options.force, "Train even when the folder holds what these settings make");
  prepare.add_flag("--quiet", options.quiet, "Print nothing on standard output");
  prepare.add_flag("--json", options.json, "Print prepare.json, and nothing else, on standard output");
}

void describe_optimize(CLI::App& optimize, OptimizeFlags& flags) {
  optimize.footer(
      std::string(
          "Example: hearth optimize models/edge_float.pt --out models/edge_fast.pt\n"
          "         hearth optimize app/pair.json --out app/fast.pt --calibration-data app/examples.jsonl --json\n"
          "         hearth optimize models/edge_float.pt --out models/small.pt --recipe distil-prune \\\n"
          "           --teacher models/cloud.pt --target-accuracy 0.89 --max-size 100KiB\n"
          "Exit code 1: nothing faster keeps the budget and the size; only the report is written.\n") +
      kExitCodes);
  optimize.add_option("MODEL", flags.model, "pair.json, or a TorchScript file of float layers")->required();
  optimize.add_option("--out", flags.out, "Where the optimized TorchScript file goes")->required();
  optimize.add_option("--report", flags.report, "Where the report goes, and beside it the page, .html [OUT.json]");
  optimize.add_option("--pair", flags.pair, "Tells a TorchScript file's inputs [pair.json beside MODEL]");
  optimize.add_option("--recipe", flags.recipe, "File, or fastest, smallest, distil-prune, photo-tagger")
      ->capture_default_str();
  optimize.add_option("--teacher", flags.teacher, "TorchScript file that recipes distil from");
  optimize.add_option("--calibration-data", flags.calibration_data,
                      "Folder with Fashion-MNIST, used unasked for pairs of its kind; or a file of JSON lines, "
                      "{\"inputs\": {\"x\": [...]}, \"label\": 3}; without either, random inputs judge");
  optimize
      .add_option("--target-accuracy", flags.target_accuracy, "Share of the validation examples that must be right")
      ->check(CLI::Range(0.0, 1.0));
  optimize.add_option("--target-accuracy-loss", flags.target_accuracy_loss, "Share of them that may be lost [0.003]")
      ->check(CLI::Range(0.0, 1.0));
  optimize.add_option("--output-error", flags.output_error, "Without labels: relative error that outputs may have")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  optimize.add_option("--max-size", flags.max_size, "Of the file, in bytes, or as 150KiB")
      ->transform(CLI::AsSizeValue(false));
  optimize.add_option("--seed", flags.seed, "Seed of training")->check(whole_number())->capture_default_str();
  optimize.add_flag("--json", flags.json, "Print the report, and nothing else, on standard output");
}

void describe_profile(CLI::App& profile, ProfileFlags& flags) {
  profile.footer(
      std::string("Example: hearth profile models/pair.json\n"
                  "         hearth profile app/edge.pt --batches 1,8 --threads 1,2,4 --out app/edge.profile.json\n"
                  "Forecasts begin with it when the pair's edge half names it: \"profile\": \"edge.profile.json\".\n") +
      kExitCodes);
  profile.add_option("MODEL", flags.model, "pair.json, or a TorchScript file")->required();
  profile.add_option("--pair", flags.pair, "Tells a TorchScript file's inputs [pair.json beside MODEL]");
  profile.add_option("--out", flags.out, "Where the profile goes [the pair's edge.profile, else MODEL.profile.json]");
  profile
      .add_option("--batches", flags.batches, "Inferences in a pass, 1 to 65536 [1,4,16, where the inputs take them]")
      ->delimiter(',')
      ->check(whole_number());
  profile.add_option("--threads", flags.threads, "Passes at the same time, each on a thread of its own, 1 to 256")
      ->delimiter(',')
      ->check(whole_number())
      ->capture_default_str();
  profile.add_option("--seconds", flags.seconds, "Time for each batch and thread count, 0.01 to 600")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  profile.add_flag("--quick", flags.quick, "A tenth of the time");
  profile.add_flag("--json", flags.json, "Print the figures as JSON, and nothing else, on standard output");
}

void describe_run(CLI::App& run, RunOptions& options) {
  run.footer(
      std::string("Example: hearth run\n"
                  "         hearth run --kill-cloud-at 0.5 --plant-leak --out out/killed\n"
                  "Exit code 1: something that must stay left, a request failed, or a planted leak went unseen.\n") +
      kExitCodes);
  run.add_option("--out", options.out, "Folder for the results")->capture_default_str();
  run.add_option("--models", options.models, "Folder with pair.json; made by prepare when missing")
      ->capture_default_str();
  run.add_option("--workload", options.workload, "Workload file [configs/workloads/demo.json]");
  run.add_option("--policy", options.policy, "Policy file [configs/policies/demo.json, threshold by prepare]");
  run.add_option("--stub-config", options.stub_config, "The cloud's network [configs/stub/default.json]");
  run.add_option("--profile", options.profile,
                 "Begin hearth's turn with what this file has learned, if it is there, and keep there what it learns");
  run.add_option("--journal", options.journal, "Keep the audit log of hearth's turn here, for `hearth audit`");
  run.add_option("--requests", options.requests, "Photos, 1 to 10000; instead of the workload's images")
      ->check(whole_number());
  run.add_option("--rate", options.rate_per_s, "Arrivals per second, 1 to 5000; instead of the workload's");
  run.add_option("--deadline-ms", options.deadline_ms, "Deadline of each photo; instead of the workload's");
  run.add_option("--seed", options.seed, "Seed of the workload; instead of the workload's")->check(whole_number());
  run.add_option("--kill-cloud-at", options.kill_cloud_at, "Kill the server at this share of hearth's turn, 0 to 1");
  run.add_flag("--plant-leak", options.plant_leak, "Send what must stay past the guard: the server has to notice");
  run.add_flag("--json", options.json, "Print summary.json, and nothing else, on standard output");
}

void describe_observe(CLI::App& observe, RunOptions& options) {
  observe.footer(
      std::string(
          "Example: hearth observe --requests 2000 --rate 50 --out out/observed\n"
          "         hearth simulate out/observed/scenario.json\n"
          "         hearth calibrate simulator out/observed\n"
          "The folder holds no photo and no caption: each request goes by the class that it was found to have.\n") +
      kExitCodes);
  observe.add_option("--out", options.out, "Folder for scenario.json and what it names")->capture_default_str();
  observe.add_option("--models", options.models, "Folder with pair.json and cloud.pt, of `hearth prepare`")
      ->capture_default_str();
  observe.add_option("--workload", options.workload, "Workload file [configs/workloads/demo.json]");
  observe.add_option("--policy", options.policy, "Policy file [configs/policies/demo.json, threshold by prepare]");
  observe.add_option("--stub-config", options.stub_config, "The cloud's network [configs/stub/default.json]");
  observe.add_option("--requests", options.requests, "Photos, 1 to 10000; instead of the workload's images")
      ->check(whole_number());
  observe.add_option("--rate", options.rate_per_s, "Arrivals per second, 1 to 5000; instead of the workload's");
  observe.add_option("--deadline-ms", options.deadline_ms, "Deadline of each photo; instead of the workload's");
  observe.add_option("--seed", options.seed, "Seed of the workload; instead of the workload's")->check(whole_number());
  observe.add_flag("--json", options.json, "Print what was seen as JSON, and nothing else, on standard output");
}

int dispatch(int argc, char** argv) {
  CLI::App app{"hearth: a quantized local model answers, the cloud only by permission."};
  app.set_version_flag("--version", "hearth " HEARTH_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);
  app.footer(std::string("Example: hearth run\n") + kExitCodes);

  PrepareOptions prepare_options;
  CLI::App* prepare_command = app.add_subcommand("prepare", "Train the model pair, quantize its edge half, save both");
  describe_prepare(*prepare_command, prepare_options);
  OptimizeFlags optimize_flags;
  CLI::App* optimize_command =
      app.add_subcommand("optimize", "Find the fastest mix of float, int8 and int4 layers on this device");
  describe_optimize(*optimize_command, optimize_flags);
  ProfileFlags profile_flags;
  CLI::App* profile_command =
      app.add_subcommand("profile", "Measure a model's latency on this device, for forecasts and simulations");
  describe_profile(*profile_command, profile_flags);
  RunOptions run_options;
  CLI::App* run_command =
      app.add_subcommand("run", "Stream photos through edge-only, cloud-only and hearth, and compare");
  describe_run(*run_command, run_options);
  RunOptions observe_options;
  observe_options.out = "out/observed";
  CLI::App* observe_command =
      app.add_subcommand("observe", "Record a live run as a scenario that `hearth simulate` replays");
  describe_observe(*observe_command, observe_options);

  if (const auto code = parse_flags(app, argc, argv)) return *code;
  if (prepare_command->parsed()) return prepare(prepare_options);
  if (optimize_command->parsed()) return optimize(optimize_flags);
  if (profile_command->parsed()) return profile(profile_flags);
  if (observe_command->parsed()) return observe(observe_options);
  return run(run_options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hearth: " << error.what() << '\n';
    return kExitFailed;
  }
}
