/// \file Files of configurations, good and bad, and what is said of them.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/config/config.h"
#include "tests/support/without_columns.h"

namespace hearth {

namespace fs = std::filesystem;

/// A folder with good files in it, gone with the object.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(fs::temp_directory_path() / ("hearth_config_test_" + name)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
    write("model.pt", "not read here");
    write("policy.json", "not read here");
    write("pair.json", pair());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string at(const std::string& file) const { return (path_ / file).string(); }
  std::string write(const std::string& file, const std::string& text) const {
    std::ofstream(at(file), std::ios::binary) << text;
    return at(file);
  }

  /// `cloud` and `rest` go in where a good pair has a cloud half and labels.
  static std::string pair(const std::string& cloud = R"({"model": "large"})", const std::string& rest = "") {
    return R"({"name": "tagger",
"edge": {"file": "model.pt", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 784]}],
         "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]},
"cloud": )" +
           cloud + rest + "}";
  }

 private:
  fs::path path_;
};

inline std::string without(const Folder& folder, std::string message) {
  for (std::size_t found; (found = message.find(folder.at(""))) != std::string::npos;) {
    message.erase(found, folder.at("").size());
  }
  return message;
}

/// What is wrong with a pair of this text, without the folder's name.
inline std::string pair_refusal_with_columns(const std::string& text) {
  const Folder folder("pair");
  const auto pair = load_pair(folder.write("p.json", text));
  return pair.ok() ? "(accepted)" : without(folder, pair.error().message);
}

inline std::string pair_refusal(const std::string& text) {
  return test::without_columns(pair_refusal_with_columns(text));
}

inline std::string config_refusal_with_columns(const std::string& text) {
  const Folder folder("config");
  const auto config = load_config(folder.write("c.json", text));
  return config.ok() ? "(accepted)" : without(folder, config.error().message);
}

inline std::string config_refusal(const std::string& text) {
  return test::without_columns(config_refusal_with_columns(text));
}

/// A good configuration with `extra` on line 2.
inline std::string with(const std::string& extra) {
  return R"({"models": ["pair.json"], "policy": "policy.json",
)" + extra +
         "}";
}

}  // namespace hearth
