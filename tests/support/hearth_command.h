/// \file The hearth command as it is run: arguments and standard input in, exit code and what it printed out.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/temp_folder.h"

namespace hearth::test {

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Ran {
  int code = 0;
  std::string out, err;

  std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> all;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
};

/// A folder of its own in which `hearth` is run; HEARTH_PROGRAM names the program.
struct CommandFolder {
  TempFolder temp;

  std::string at(const std::string& name) const { return (temp.path() / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
    return at(name);
  }
  /// `hearth ARGUMENTS` with `input` on standard input.
  Ran run(const std::string& arguments, const std::string& input = "") const {
    write("stdin", input);
    const std::string command = "cd " + temp.path().string() + " && " + HEARTH_PROGRAM + " " + arguments + " <stdin >" +
                                at("stdout") + " 2>" + at("stderr");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(at("stdout")), text_of(at("stderr"))};
  }
};

}  // namespace hearth::test
