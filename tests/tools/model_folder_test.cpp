#include "tools/hearth/model_folder.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/temp_folder.h"

using namespace hearth;
using Catch::Matchers::Contains;
using hearth::tool::ModelFolder;
namespace fs = std::filesystem;

TEST_CASE("A file appears when it is published and the rest goes with the object") {
  const test::TempFolder folder;
  const std::string models = folder.path() / "a" / "models";
  {
    const auto opened = ModelFolder::open(models);
    REQUIRE(opened.ok());
    REQUIRE(opened.value().write_part("done.txt", "x").ok());
    REQUIRE(opened.value().write_part("left.txt", "x").ok());
    CHECK_FALSE(fs::exists(opened.value().finished("done.txt")));
    CHECK(opened.value().publish("done.txt").ok());
    CHECK(fs::exists(models + "/done.txt"));
    CHECK_THAT(opened.value().publish("never.txt").error().message, Contains("never.txt: cannot be written"));
  }
  CHECK_FALSE(fs::exists(models + "/left.txt"));
  CHECK_FALSE(fs::exists(models + "/.part"));
}

TEST_CASE("Two at work in one folder: the second is refused until the first is gone") {
  const test::TempFolder folder;
  {
    const auto first = ModelFolder::open(folder.path());
    REQUIRE(first.ok());
    const auto second = ModelFolder::open(folder.path());
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == ErrorCode::kUnavailable);
    CHECK_THAT(second.error().message, Contains("another hearth prepare is at work in it"));
  }
  CHECK(ModelFolder::open(folder.path()).ok());
}

TEST_CASE("A folder that cannot be is refused by name") {
  const test::TempFolder folder;
  { REQUIRE(ModelFolder::open(folder.path() / "file").ok()); }
  const std::string below_a_file = folder.path() / "file" / ".lock" / "models";
  const auto opened = ModelFolder::open(below_a_file);
  REQUIRE_FALSE(opened.ok());
  CHECK_THAT(opened.error().message, Contains(below_a_file + ": cannot be made"));
}
