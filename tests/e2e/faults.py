"""Faults of the disk, injected by strace into a running node."""

import os
import subprocess

from jeton import PATIENCE_S, needs, run


def needs_strace():
    """Skips unless strace can trace here; on CI that is a failure."""
    needs(os.geteuid() == 0, "only root can trace a process that dumps no core")
    tried = run(["strace", "-o", os.devnull, "-e", "inject=close:error=EIO:when=99", "true"])
    needs(tried.returncode == 0, "strace cannot trace a process here")


def injecting(fault, log):
    """Returns a strace that injects a fault, and writes down what it saw."""
    calls = ["-e", "trace=fdatasync,pwrite64", "-e", f"inject={fault}"]
    return ["strace", "-f", "-o", str(log), *calls]


def injected(log):
    """Tells whether the fault has come about."""
    return "(INJECTED)" in log.read_text()


class Faults:
    """Has system calls of a running node fail."""

    def __init__(self, node, fault, log):
        # If its process dies at the wrong moment, strace waits for ever.
        self.end_within_s = 2 if "SIGKILL" in fault else PATIENCE_S
        self.command = [*injecting(fault, log), "-p", str(node.pid)]

    def __enter__(self):
        self.strace = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        # The first line says that it is attached, to all threads.
        line = self.strace.stderr.readline()
        assert "attached" in line, line
        return self

    def __exit__(self, *_):
        self.strace.terminate()
        try:
            self.strace.communicate(timeout=self.end_within_s)
        except subprocess.TimeoutExpired:
            self.strace.kill()
            self.strace.communicate(timeout=PATIENCE_S)
