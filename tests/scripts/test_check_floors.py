"""Plants one violation of each house rule in a small tree and expects it to be reported, with its place and reason."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from check_floors import House, long_functions  # noqa: E402

HEADER = "/// \\file A header.\n#pragma once\n"


class CheckFloors(unittest.TestCase):
    def problems(self, files, built=True):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                Path(root, path).parent.mkdir(parents=True, exist_ok=True)
                Path(root, path).write_text(text)
            if built:
                names = [path for path in files if path.endswith(".cpp")]
                Path(root, "CMakeLists.txt").write_text("add_library(all " + " ".join(names) + ")\n")
            return House(root).check()

    def expect_one(self, files, start, *words, **how):
        problems = self.problems(files, **how)
        self.assertEqual(len(problems), 1, problems)
        self.assertTrue(problems[0].startswith(start), problems[0])
        for word in words:
            self.assertIn(word, problems[0])

    def test_a_clean_tree_has_no_problems(self):
        self.assertEqual([], self.problems({
            "runtime/scheduler/core.h": HEADER + "#include <hearth/mask.h>\n#include \"policies/policy.h\"\n#include <vector>\n",
            "runtime/scheduler/core.cpp": '#include "runtime/scheduler/core.h"\n',
            "runtime/net/loop.cpp": "#include <boost/asio.hpp>\nauto t = std::chrono::steady_clock::now();\n",
            "tools/hearth/main.cpp": "#include <CLI/CLI.hpp>\n#include <hearth/runtime.h>\nstd::random_device seed;\n"}))

    def test_an_upward_include_is_reported(self):
        self.expect_one({"runtime/privacy/guard.cpp": '\n#include "runtime/scheduler/core.h"\n'},
                        "runtime/privacy/guard.cpp:2: includes runtime/scheduler/core.h", "floor 3", "floor 4")

    def test_policies_may_not_know_mechanisms(self):
        self.expect_one({"policies/policy.cpp": '#include "runtime/privacy/guard.h"\n'}, "policies/policy.cpp:1:", "floor 2")

    def test_only_programs_may_know_the_facade(self):
        self.expect_one({"runtime/scheduler/core.h": HEADER + "#include <hearth/runtime.h>\n"},
                        "runtime/scheduler/core.h:3:", "facade")

    def test_one_world_may_not_include_another(self):
        self.expect_one({"runtime/sim/link.cpp": '#include "runtime/net/loop.h"\n'}, "runtime/sim/link.cpp:1:", "worlds floor")

    def test_one_mechanism_may_not_include_another(self):
        self.expect_one({"runtime/cloud/codec.cpp": '#include "runtime/privacy/guard.h"\n'}, "runtime/cloud/codec.cpp:1:",
                        "mechanisms floor")

    def test_a_folder_without_a_floor_is_reported(self):
        self.expect_one({"runtime/attic/old.cpp": "#include <hearth/mask.h>\n"}, "runtime/attic/old.cpp:1:", "no floor")

    def test_third_party_headers_outside_their_folder_are_reported(self):
        for path, header, library in [
                ("runtime/scheduler/core.cpp", "boost/asio.hpp", "Boost"), ("runtime/device/probe.cpp", "openssl/ssl.h", "OpenSSL"),
                ("runtime/facade/runtime.cpp", "torch/script.h", "LibTorch"), ("policies/rules.cpp", "re2/re2.h", "RE2"),
                ("runtime/net/server.cpp", "httplib.h", "cpp-httplib"), ("runtime/include/hearth/mask.h", "nlohmann/json.hpp", "nlohmann"),
                ("runtime/scheduler/core.cpp", "sys/socket.h", "POSIX")]:
            with self.subTest(header):
                self.expect_one({path: HEADER + f"#include <{header}>\n"}, f"{path}:3: includes <{header}>", library)

    def test_an_unknown_library_is_reported(self):
        self.expect_one({"tools/hearth/main.cpp": "#include <fmt/format.h>\n"}, "tools/hearth/main.cpp:1:", "THIRD_PARTY")

    def test_clocks_randomness_sleeps_files_and_sockets_above_the_worlds_are_reported(self):
        for code in ["auto t = std::chrono::steady_clock::now();", "system_clock::now();", "std::random_device device;", "rand();",
                     "std::this_thread::sleep_for(a);", "std::thread worker;", "std::ifstream file;", "fopen(a, b);",
                     "::socket(1, 2, 3);", "std::getenv(name);"]:
            with self.subTest(code):
                self.expect_one({"runtime/scheduler/core.cpp": f"// A comment.\n{code}\n"}, "runtime/scheduler/core.cpp:2: uses ")

    def test_words_in_comments_and_strings_are_no_code(self):
        self.assertEqual([], self.problems({
            "policies/rules.cpp": '// steady_clock, rand()\n/* std::thread\n getenv */\nauto a = "rand() sleep_for";\n'
                                  'auto b = R"(std::ifstream)";\nint c = 10\'000;\n'}))

    def test_a_file_that_no_makefile_names_is_reported(self):
        self.expect_one({"runtime/cloud/lost.cpp": "", "CMakeLists.txt": "add_library(x runtime/cloud/not_lost.cpp)\n"},
                        "runtime/cloud/lost.cpp:1: is in no CMakeLists.txt", built=False)

    def test_a_long_file_is_reported(self):
        self.expect_one({"bench/long.cpp": "int a;\n" * 501}, "bench/long.cpp:501: 501 lines", "500")

    def test_a_long_function_is_reported_where_it_begins(self):
        body = "  step();\n" * 70
        for opening in ["void run(int a) {\n", "Loop::Loop(Seam& seam) : seam_(seam) {\n", "template <class T>\nT run() {\n",
                        "class Loop {\n int x() const {\n"]:
            with self.subTest(opening):
                found = long_functions("namespace hearth {\n" + opening + body + "}\n}\n")
                self.assertEqual([(1 + opening.count("\n"), 72)], found)

    def test_a_long_class_of_short_functions_is_fine(self):
        self.assertEqual([], long_functions("class Loop {\n" + " int x() {\n  return 1;\n }\n" * 40 + "};\n"))

    def test_headers_need_pragma_once_and_no_using_namespace(self):
        self.expect_one({"policies/a.h": "int a();\n"}, "policies/a.h:1: no #pragma once")
        self.expect_one({"policies/a.h": HEADER + "using namespace std;\n"}, "policies/a.h:3: using namespace")


if __name__ == "__main__":
    unittest.main()
