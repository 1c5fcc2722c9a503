"""`python -m devstack gmail`: one command, alone."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devstack.gmail.conftest import ROOT, web

pytestmark = pytest.mark.servers
COMMAND = [sys.executable, "-m", "devstack", "gmail"]


def test_it_says_what_to_do_and_the_pages_are_there(tmp_path: Path) -> None:
    options = ["--port", "0", "--mailbox", "bob@gmail.com", "--state", str(tmp_path / "state")]
    process = subprocess.Popen([*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = [process.stdout.readline() for _ in range(8)]
        links = re.findall(r"http://127\.0\.0\.1:\d+/\S*", "".join(said[:3]))
        assert [link.split("/", 3)[3] for link in links] == ["webmail", "webmail/outside:"]
        assert "bob@gmail.com" in web.get(links[0]).text
        assert web.get(links[1].rstrip(":")).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "bob@gmail.com" in (tmp_path / "state").read_text()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == f"127.0.0.1:{port} is taken; --port 0 takes a free one\n"
