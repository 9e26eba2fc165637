"""Runs scripts/setup and scripts/steps.sh against stand-ins for dpkg-query, apt-get and sudo."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PACKAGES = [line.split("#")[0].strip() for line in (SCRIPTS / "packages.txt").read_text().splitlines()]
PACKAGES = [name for name in PACKAGES if name]


class Setup(unittest.TestCase):
    def run_setup(self, installed, apt="exit 0"):
        """Exit status, output and the apt-get calls of a setup on a machine with these packages."""
        with tempfile.TemporaryDirectory() as bin_folder:
            def stand_in(name, script):
                path = Path(bin_folder, name)
                path.write_text(f"#!/bin/bash\n{script}\n")
                path.chmod(0o755)
            calls = Path(bin_folder, "calls")
            calls.touch()
            lines = "".join(f"{name} installed\\n" for name in installed)
            stand_in("dpkg-query", f"printf '{lines}'; exit 1")
            stand_in("apt-get", f'echo "$@" >>{calls}; echo "E: what apt says"; {apt}')
            stand_in("sudo", '[ "$1" = -n ] && shift; exec "$@"')
            done = subprocess.run([SCRIPTS / "setup"], env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines()

    def test_when_all_is_there_it_does_nothing_and_says_nothing(self):
        self.assertEqual((0, "", []), self.run_setup(PACKAGES))

    def test_it_installs_exactly_what_is_missing(self):
        status, _, calls = self.run_setup([name for name in PACKAGES if name not in ("catch2", "cmake")])
        self.assertEqual(0, status)
        self.assertEqual(2, len(calls))
        self.assertTrue(calls[0].endswith("update"), calls)
        self.assertTrue(calls[1].endswith("install -y --no-install-recommends --no-remove catch2 cmake"), calls)

    def test_a_failure_shows_what_apt_said_and_what_to_do(self):
        status, output, calls = self.run_setup(PACKAGES[1:], apt="exit 100")
        self.assertEqual(1, status)
        self.assertEqual(1, len(calls))
        for words in ["E: what apt says", "FAILED", PACKAGES[0], "Check the network"]:
            self.assertIn(words, output)


class Steps(unittest.TestCase):
    def run_steps(self, script):
        with tempfile.TemporaryDirectory() as folder:
            env = {name: value for name, value in os.environ.items() if name != "step_always"}  # .ci/run exports it
            done = subprocess.run(["bash", "-c", f"set -euo pipefail; source {SCRIPTS}/steps.sh; logs={folder}; {script}"],
                                  env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def test_a_quick_step_that_works_is_silent(self):
        self.assertEqual((0, ""), self.run_steps("step working echo chatter"))

    def test_a_step_that_fails_stops_the_script_with_its_status_and_shows_its_output(self):
        status, output = self.run_steps("step breaking bash -c 'echo why; exit 7'; echo went on")
        self.assertEqual(7, status)
        self.assertIn("why", output)
        self.assertNotIn("went on", output)

    def test_of_a_test_run_only_what_failed_is_shown(self):
        log = ["      Start 1: good", " 1/2 Test #1: good ....   Passed    0.01 sec", "      Start 2: bad",
               " 2/2 Test #2: bad .....***Failed    0.01 sec", "expected 1, got 2", "50% tests passed, 1 tests failed out of 2"]
        lines = " ".join(f"'{line}'" for line in log)
        status, output = self.run_steps(f"step testing bash -c 'printf \"%s\\n\" \"$@\"; exit 8' -- {lines}")
        self.assertEqual(8, status)
        for line in log[3:]:
            self.assertIn(line, output)
        self.assertNotIn("good", output)


if __name__ == "__main__":
    unittest.main()
