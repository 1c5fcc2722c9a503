"""TCP ports: free ones that two stacks never both take, and who sits on one that is taken."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

import psutil

from devstack.process import PartError

# Below the range of the kernel for outgoing connections, so that none of those can get in the way.
_RANGE = (20_000, 32_000)

_held: dict[int, IO[str]] = {}
"""Lock files of the ports that this process has taken; the locks go when it ends."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def take_free() -> int:
    """A port that nobody listens on and that no other process gets from here while this one runs."""
    folder = Path(tempfile.gettempdir()) / f"devstack-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(range(*_RANGE), 500):
        if port in _held or not is_free(port):
            continue
        lock = (folder / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _held[port] = lock
        return port
    raise RuntimeError(f"no free TCP port between {_RANGE[0]} and {_RANGE[1]}")


def give_back(port: int) -> None:
    """Let others have a port from `take_free` again."""
    if lock := _held.pop(port, None):
        lock.close()


def occupant(port: int) -> str:
    """Who listens on a port, as words for an error message; empty where it cannot be seen."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        if connection.laddr.port == port:
            try:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.NoSuchProcess:
                continue
    return ""


def require_free(port: int, setting: str = "") -> None:
    """Check that a port can be had.

    Raises:
        PartError: it is taken, by whom and what to do.
    """
    if is_free(port):
        return
    by = occupant(port)
    raise PartError(
        f"port {port} is in use{' by ' + by if by else ''}"
        + (f": stop it, or set {setting} to another port" if setting else "")
    )
