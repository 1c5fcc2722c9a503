"""Sees to it that nothing outlives the process that started it, not even when that one is killed with -9.

Run as a script (standard library only, starts in 30 ms), in one of two ways:

`reaper.py exec --parent PID [--user NAME] [--signal N] -- COMMAND...` asks the kernel for a signal (SIGTERM)
when the parent goes, gives up root's identity where a user is named (PostgreSQL refuses root), and becomes
COMMAND: same pid.

`reaper.py watch MARK [PATH...]` sleeps on its standard input. Once that closes, however the parent ended,
each process with the mark in its environment gets three seconds to end and is then killed; PATHs are
removed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

MARK_VARIABLE = "DEVSTACK_MARK"
"""Environment variable that every process of a stack inherits: marks, comma-separated, outermost first."""
GRACE_S = 3.0

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def marked(mark: str) -> Iterator[int]:
    """The pids, besides our own, of running processes that carry the mark."""
    name = f"{MARK_VARIABLE}=".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            if any(v.startswith(name) and mark.encode() in v[len(name) :].split(b",") for v in environment):
                yield int(entry.name)
        except OSError:  # gone meanwhile, or somebody else's
            continue


def end_marked(mark: str, grace_s: float = GRACE_S, spare: Sequence[int] = ()) -> list[int]:
    """End every process that carries the mark, first politely, after `grace_s` seconds by force.

    Returns:
        The pids that had to be killed.
    """
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while left := [pid for pid in marked(mark) if pid not in spare]:
        if time.monotonic() > deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            return left
        for pid in left:
            if pid not in asked:
                _signal(pid, signal.SIGTERM)
                asked.add(pid)
        time.sleep(0.05)
    return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _become_user(libc: ctypes.CDLL, name: str) -> None:
    """Take the identity of `name`, keeping only the right to walk into folders that are closed to it.

    Without that right a checkout below a closed home folder (`/root`) could not run PostgreSQL at all.
    """
    account = pwd.getpwnam(name)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    # Where a container withholds the right we go on without it.
    if libc.capset(header, sets) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
    os.environ.update(HOME="/", USER=name, LOGNAME=name)


def become(parent: int, user: str | None, number: int, command: Sequence[str]) -> None:
    """Tie this process's life to the parent's and turn into `command`; returns never."""
    libc = ctypes.CDLL(None, use_errno=True)
    if user:
        _become_user(libc, user)
    # After the change of identity, which resets it.
    libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before the part started")
    os.execvp(command[0], list(command))  # noqa: S606


def watch(mark: str, paths: Sequence[str]) -> None:
    """Sleep until standard input closes, then end what carries the mark and remove the paths."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        continue
    end_marked(mark)
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    run = ways.add_parser("exec")
    run.add_argument("--parent", type=int, required=True)
    run.add_argument("--user")
    run.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    run.add_argument("command", nargs="+")
    look = ways.add_parser("watch")
    look.add_argument("mark")
    look.add_argument("paths", nargs="*")
    given = parser.parse_args()
    if given.way == "exec":
        become(given.parent, given.user, given.signal, given.command)
    else:
        watch(given.mark, given.paths)


if __name__ == "__main__":
    main()
