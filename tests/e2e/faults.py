"""Disk faults that strace injects into a running node."""

import os
import subprocess

from jeton import TIMEOUT_S, require, run


def require_strace():
    """Skips the test if strace cannot trace here; on CI, fails it."""
    require(os.geteuid() == 0, "only root can trace a process that forbids core dumps")
    tried = run(["strace", "-o", os.devnull, "-e", "inject=close:error=EIO:when=99", "true"])
    require(tried.returncode == 0, "strace cannot trace a process here")


def strace_command(fault, log):
    """Returns the strace command that injects a fault and logs the traced calls."""
    calls = ["-e", "trace=fdatasync,pwrite64", "-e", f"inject={fault}"]
    return ["strace", "-f", "-o", str(log), *calls]


def was_injected(log):
    """Returns `True` if strace has injected its fault."""
    return "(INJECTED)" in log.read_text()


class Faults:
    """Makes system calls of a running node fail."""

    def __init__(self, node, fault, log):
        # If the traced process dies at the wrong moment, strace never exits.
        self.exit_timeout_s = 2 if "SIGKILL" in fault else TIMEOUT_S
        self.command = [*strace_command(fault, log), "-p", str(node.pid)]

    def __enter__(self):
        self.strace = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        # strace prints this once it is attached to all threads.
        line = self.strace.stderr.readline()
        assert "attached" in line, line
        return self

    def __exit__(self, *_):
        self.strace.terminate()
        try:
            self.strace.communicate(timeout=self.exit_timeout_s)
        except subprocess.TimeoutExpired:
            self.strace.kill()
            self.strace.communicate(timeout=TIMEOUT_S)
