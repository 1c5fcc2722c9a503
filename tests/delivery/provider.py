"""An SMTP server that answers each command as a test wants it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from delivery.smtp import Provider

OK = {
    "EHLO": "250 ok",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    ".": "250 taken",
    "NOOP": "250 ok",
    "RSET": "250 ok",
}


@dataclass
class Server:
    """Answers each command as told; an empty answer hangs up."""

    answers: dict[str, str] = field(default_factory=lambda: dict(OK))
    port: int = 0
    connections: int = 0
    answer_to: dict[str, str] = field(default_factory=dict)
    """Answers to RCPT of some recipients."""
    taken: list[bytes] = field(default_factory=list)
    taken_for: list[list[str]] = field(default_factory=list)
    """The recipients of each mail taken."""
    before_answer: Callable[[str], None] = lambda _: None
    """Called with each command, `.` for the end of a mail."""

    @property
    def provider(self) -> Provider:
        return Provider.parse(f"smtp://127.0.0.1:{self.port}")


@contextmanager
def server() -> Iterator[Server]:
    it = Server()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            it.connections += 1
            recipients: list[str] = []
            self.wfile.write(b"220 hi\r\n")
            for line in self.rfile:
                word = line.strip().decode().upper().partition(" ")[0]
                it.before_answer(word)
                answer = it.answers.get(word, "250 ok")
                if word == "RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                    answer = it.answer_to.get(recipient, answer)
                    recipients += [recipient] * answer.startswith("250")
                elif word == "MAIL":
                    recipients = []
                if not answer:
                    return
                self.wfile.write(f"{answer}\r\n".encode())
                if answer.startswith("354"):
                    content = b""
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        content += part
                    if not part:
                        return
                    if not it.answers["."]:
                        return
                    if it.answers["."].startswith("250"):
                        it.taken.append(content)
                        it.taken_for.append(recipients)
                    it.before_answer(".")
                    self.wfile.write(f"{it.answers['.']}\r\n".encode())

    class Threaded(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Threaded(("127.0.0.1", 0), Handler) as tcp:
        it.port = tcp.server_address[1]
        thread = threading.Thread(target=tcp.serve_forever, daemon=True)
        thread.start()
        yield it
        tcp.shutdown()
        thread.join(10)
