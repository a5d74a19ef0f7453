"""Runs the end-to-end tests: all of them, or those named.

    suite.py [test_file[.Class[.test]]]...

The last line is `N passed, N failed`. Skipped tests are listed before it.
"""

import sys
import time
import unittest
from pathlib import Path

from jeton import JETON, World

HERE = Path(__file__).resolve().parent


class Result(unittest.TextTestResult):
    """Prints the time of each test and adds the last log lines to each failure."""

    passed = 0

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def stopTest(self, test):
        self.stream.writeln(f"        {time.monotonic() - self.started:.1f} s")
        super().stopTest(test)

    def _exc_info_to_string(self, error, test):
        logs = [world.last_log_lines() for world in World.alive]
        return "\n".join([super()._exc_info_to_string(error, test), *logs])


def main(names):
    loader = unittest.TestLoader()
    if names:
        tests = loader.loadTestsFromNames(names)
    else:
        tests = loader.discover(str(HERE), pattern="test_*.py")
    started = time.monotonic()
    result = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(tests)
    for test, reason in result.skipped:
        print(f"SKIPPED {test}: {reason}")
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{JETON}, {time.monotonic() - started:.0f} s, {len(result.skipped)} skipped")
    print(f"{result.passed} passed, {failed} failed")
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
