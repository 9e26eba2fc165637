#!/usr/bin/env python3
"""Checks the house rules that a compiler does not: who may include whom, clocks and randomness only in the worlds,
third-party headers only where they live, sizes. usage: check_floors.py [ROOT]. One line per problem; exit 1 when any.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

# ---- The house. The longest matching path counts. ------------------------------------------------------------------
FLOORS = {
    "runtime/base/": 0, "runtime/include/hearth/result.h": 0, "runtime/include/hearth/time.h": 0,
    "runtime/include/hearth/random.h": 0,
    "runtime/include/hearth/": 1, "runtime/base/tensor.cpp": 1, "runtime/base/outcome.cpp": 1, "runtime/base/confidence.cpp": 1,
    "policies/": 2,
    "runtime/privacy/": 3, "runtime/signals/": 3, "runtime/cloud/": 3, "runtime/telemetry/": 3, "runtime/config/": 3,
    "runtime/scheduler/": 4,
    "runtime/net/": 5, "runtime/edge/": 5, "runtime/device/": 5, "runtime/sim/": 5,
    "runtime/facade/": 6, "runtime/include/hearth/runtime.h": 6,
    "tools/": 7, "cloud_stub/": 7, "examples/": 7, "bench/": 7, "tests/": 7,
}
FLOOR_NAMES = ["base", "values and seams", "policies", "mechanisms", "scheduler", "worlds", "facade", "programs"]
WORLDS = 5
CODE = ("runtime/", "policies/", "tools/", "cloud_stub/", "examples/", "bench/", "tests/")

PROGRAM_FOLDERS = ("tools/", "cloud_stub/", "bench/", "tests/")
THIRD_PARTY = [  # library, its headers, where they may be included
    ("Boost", r"boost/", ("runtime/net/", "tests/runtime/net/", "cloud_stub/", "tests/cloud_stub/",
                          "bench/bare_beast.cpp", "bench/memory_server.")),
    ("OpenSSL", r"openssl/", ("runtime/net/", "tests/runtime/net/", "runtime/base/digest.cpp",
                              "cloud_stub/certificate.cpp")),
    ("LibTorch", r"(torch|ATen|c10|caffe2)/", ("runtime/edge/",) + PROGRAM_FOLDERS),
    ("Highway", r"hwy/", ("runtime/edge/kernels/",)),
    ("x86 intrinsics", r"immintrin\.h", ("bench/limits.cpp",)),
    ("cpp-httplib", r"httplib\.h", PROGRAM_FOLDERS),
    ("nlohmann/json", r"nlohmann/", ("runtime/base/", "runtime/config/", "runtime/cloud/", "runtime/telemetry/",
                                     "runtime/signals/", "runtime/privacy/", "runtime/sim/", "policies/") + PROGRAM_FOLDERS),
    ("RE2", r"re2/", ("runtime/privacy/",)),
    ("CLI11", r"CLI/", ("tools/", "cloud_stub/", "bench/")),
    ("zlib", r"zlib\.h", ("runtime/net/", "tools/", "tests/", "cloud_stub/fault_body.cpp")),
    ("Catch2", r"catch2/", ("tests/",)),
    ("RapidCheck", r"rapidcheck", ("tests/",)),
    ("Z3", r"z3", ("tests/",)),
    ("Google Benchmark", r"benchmark/", ("bench/",)),
    ("POSIX and Linux", r"(sys|netinet|arpa|linux)/|(unistd|fcntl|poll|netdb|pthread|signal|sched|spawn|dlfcn|malloc)\.h",
     ("runtime/net/", "runtime/edge/", "runtime/device/", "runtime/base/secret_memory.cpp") + PROGRAM_FOLDERS),
]

LIBRARY = ("runtime/", "policies/")
BANNED = [  # what, how it looks in code, where it stands all the same (floors below and above the worlds have none)
    ("a real clock", r"\b(steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday)\b", (),
     "take the time from the EventLoop"),
    ("real randomness", r"\b(random_device|mt19937(_64)?|s?rand(?=\())\b", ("runtime/facade/real_world.cpp",),
     "draw from a RandomStream"),
    ("a sleep", r"\b(sleep_for|sleep_until|u?sleep(?=\())", (), "set a timer on the EventLoop"),
    ("a thread", r"\bstd::(jthread|async|thread)\b", ("runtime/facade/",), "only worlds and the facade have threads"),
    ("a file", r"\b(fopen(?=\()|[io]?fstream\b)", ("runtime/base/json_document.cpp", "runtime/base/digest.cpp"),
     "read through read_whole_file(), write through the Journal"),
    ("a socket", r"::socket\(", (), "send through the Transport"),
    ("the environment", r"\bgetenv\b", (), "make it a key of the configuration"),
]
FILE_LINES_MAX, FUNCTION_LINES_MAX = 500, 70
# ----------------------------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def longest(table, path):
    return max((key for key in table if path.startswith(key)), key=len, default=None)


def floor_of(path):
    key = longest(FLOORS, path)
    return None if key is None else FLOORS[key]


def line_at(text, position):
    return text.count("\n", 0, position) + 1


def blanked(text):
    """The text with comments and literals emptied and every line where it was."""
    def blank(match):
        kept = "\n" * match.group().count("\n")
        return '""' + kept if match.group()[0] in "\"R" else (kept or " ")
    # A quote between digits (10'000) is no literal.
    return NOT_CODE.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text))


class House:
    def __init__(self, root):
        self.root = Path(root)
        self.problems = []
        self.files = sorted(self.tracked())

    def tracked(self):
        """Paths below the root: those git knows; outside a repository, all."""
        git = subprocess.run(["git", "-C", self.root, "ls-files", "-z"],
                             capture_output=True, check=False)
        if git.returncode == 0:
            paths = git.stdout.decode().split("\0")
        else:
            paths = [str(Path(folder, name).relative_to(self.root))
                     for folder, _, names in os.walk(self.root) for name in names]
        return [path for path in paths if path and (self.root / path).is_file()]

    def tell(self, path, line, what, why, fix):
        self.problems.append(f"{path}:{line}: {what}: {why}; {fix}")

    def check(self):
        makefiles = {p: (self.root / p).read_text() for p in self.files if p.endswith("CMakeLists.txt")}
        for path in self.files:
            if not path.endswith((".h", ".cpp")) or not path.startswith(CODE):
                continue
            text = (self.root / path).read_text()
            code = blanked(text)
            self.check_includes(path, text)
            self.check_banned(path, code)
            self.check_sizes(path, text, code)
            if path.endswith(".h"):
                self.check_header(path, code)
            else:
                self.check_built(path, makefiles)
        return self.problems

    def check_includes(self, path, text):
        for match in INCLUDE.finditer(text):
            header, line = match.group(1), line_at(text, match.start())
            target = "runtime/include/" + header if header.startswith("hearth/") else header
            if (self.root / path).parent.joinpath(header).is_file():
                target = str(Path(path).parent / header)
            if not target.startswith(CODE):
                self.check_third_party(path, line, header)
            elif floor_of(path) is None or floor_of(target) is None:
                unknown = path if floor_of(path) is None else target
                self.tell(path, line, f"{unknown} stands on no floor", "every folder has its place in the house",
                          "add it to FLOORS in scripts/check_floors.py and to the design")
            else:
                self.check_direction(path, line, target)

    def check_direction(self, path, line, target):
        mine, theirs = floor_of(path), floor_of(target)
        # Above the seams, neighbours on one floor do not know each other; programs may share.
        neighbours = mine == theirs and mine in (3, 4, 5) and longest(FLOORS, path) != longest(FLOORS, target)
        if theirs > mine:
            self.tell(path, line, f"includes {target}",
                      f"{FLOOR_NAMES[mine]} (floor {mine}) may not know {FLOOR_NAMES[theirs]} (floor {theirs})",
                      "move what is shared down, or turn the call into a seam")
        elif neighbours:
            self.tell(path, line, f"includes {target}",
                      f"two parts of the {FLOOR_NAMES[mine]} floor do not know each other", "let the floor above pass a value between them")

    def check_third_party(self, path, line, header):
        known = [(library, allowed) for library, pattern, allowed in THIRD_PARTY if re.match(pattern, header)]
        for library, allowed in known:
            if not path.startswith(allowed):
                self.tell(path, line, f"includes <{header}>", f"{library} lives only in {', '.join(allowed)}",
                          "put the code that needs it there, behind a seam")
        if not known and re.search(r"[./]", header):
            self.tell(path, line, f"includes <{header}>", "no such file here, and no library the house knows",
                      "add the library to THIRD_PARTY in scripts/check_floors.py and to docs/dependencies.md")

    def check_banned(self, path, code):
        if not path.startswith(LIBRARY) or floor_of(path) == WORLDS:
            return
        for what, pattern, allowed, fix in BANNED:
            if not path.startswith(allowed or ("\0",)):
                for match in re.finditer(pattern, code):
                    self.tell(path, line_at(code, match.start()), f"uses {what} ({match.group().rstrip('(')})",
                              "only worlds touch the machine, so that a simulation runs the same code", fix)

    def check_sizes(self, path, text, code):
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            self.tell(path, lines, f"{lines} lines", f"a file has at most {FILE_LINES_MAX}",
                      "split it by what changes together")
        for line, length in long_functions(code):
            self.tell(path, line, f"a function of {length} lines", f"a function has at most {FUNCTION_LINES_MAX}",
                      "name its parts")

    def check_header(self, path, code):
        if "#pragma once" not in code:
            self.tell(path, 1, "no #pragma once", "a header may be included twice", "add it under the \\file comment")
        for match in re.finditer(r"\busing\s+namespace\b", code):
            self.tell(path, line_at(code, match.start()), "using namespace in a header", "it reaches every includer",
                      "write the names out")

    def check_built(self, path, makefiles):
        for makefile, text in makefiles.items():
            folder = makefile[: -len("CMakeLists.txt")]
            if path.startswith(folder) and re.search(rf"(?<![\w/.]){re.escape(path[len(folder):])}(?![\w/.])", text):
                return
            if "}/" + path in text:  # ${PROJECT_SOURCE_DIR}/...
                return
        self.tell(path, 1, "is in no CMakeLists.txt", "code that is not built rots", "name it there, or delete it")


def long_functions(code):
    """(line, length) of every function body over the limit. A body is a block with a '(' before it, straight inside a
    namespace or type, in code as clang-format leaves it."""
    found, stack, start = [], [], 0
    code = re.sub(r"(?m)^[ \t]*#.*$", lambda m: " " * len(m.group()), code)
    for match in re.finditer(r"[{};]", code):
        head, start = code[start:match.start()], match.end()
        if match.group() == "{":
            outer = all(kind != "body" for kind, _ in stack)
            named = re.search(r"\b(namespace|class|struct|union|enum|extern)\b(?![^<]*>)", head.split("(")[0])
            stack.append(("body" if outer and not named and "(" in head else "other", match.start()))
        elif match.group() == "}" and stack:
            kind, opened = stack.pop()
            length = code.count("\n", opened, match.start()) + 1
            if kind == "body" and length > FUNCTION_LINES_MAX:
                found.append((line_at(code, opened), length))
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    house = House(root)
    for problem in house.check():
        print(problem)
    print(f"{len(house.files)} files, {len(house.problems)} problems", file=sys.stderr)
    return 1 if house.problems else 0


if __name__ == "__main__":
    sys.exit(main())
