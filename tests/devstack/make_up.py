"""`python -m devstack up` as a person or a CI job meets it: a process with ports, output and signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from devstack import ports, reaper
from devstack.env_files import read
from devstack.process import ROOT, new_mark
from settings import Settings

PORT_SETTINGS = ("TEMPORAL_PORT", "TEMPORAL_UI_PORT", "GMAIL_EMULATOR_PORT", "API_PORT", "SMTP_INBOUND_PORT")
PATIENCE_S = 120.0


class MakeUp:
    """One run of `python -m devstack up` on free ports.

    Args:
        state_dir: STATE_DIR; a second run on it is a second start.
        settings: further settings, as its environment.
    """

    def __init__(self, state_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.state_dir = state_dir
        self.ports = {name: str(ports.take_free()) for name in PORT_SETTINGS}
        self.mark = new_mark()
        outer = os.environ.get(reaper.MARK_VARIABLE, "")
        names = {name.upper() for name in Settings.model_fields}
        env = {name: value for name, value in os.environ.items() if name not in names}
        env |= {"STATE_DIR": str(state_dir), **self.ports, **(settings or {})}
        env[reaper.MARK_VARIABLE] = f"{outer},{self.mark}".strip(",")
        self._output = state_dir.with_suffix(f".{self.mark[:6]}.out")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "devstack", "up"],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def told(self) -> dict[str, str]:
        """What `stack.env` says."""
        return read(self.state_dir / "stack.env")

    def wait_until_up(self) -> None:
        """Return once it says that everything is up."""
        self.until(lambda: "Everything is up" in self.output, "everything is up")

    def processor_s(self) -> float:
        """Processor time that its processes have used so far, in seconds."""
        total = 0.0
        for pid in reaper.marked(self.mark):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(psutil.Process(pid).cpu_times())
        return total

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a condition while the command runs."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}\n{self.output}"
            time.sleep(0.05)

    def part(self, *words: str) -> psutil.Process | None:
        """The running process of this stack whose command line has these words."""
        for pid in reaper.marked(self.mark):
            try:
                process = psutil.Process(pid)
                argv = process.cmdline()
            except psutil.Error:
                continue
            names = {*argv, *(Path(argument).name for argument in argv)}
            if "exec" not in names and names.issuperset(words):
                return process
        return None

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def what_is_left(self, within_s: float = 10.0) -> list[str]:
        """Command lines of processes that are still there after the command's end, after `within_s` at the latest."""
        deadline = time.monotonic() + within_s
        while (pids := list(reaper.marked(self.mark))) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [" ".join(psutil.Process(pid).cmdline()) for pid in pids if psutil.pid_exists(pid)]

    def give_up(self) -> None:
        """End it whatever state it is in, for teardown."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        reaper.end_marked(self.mark, grace_s=0)
        for port in self.ports.values():
            ports.give_back(int(port))
