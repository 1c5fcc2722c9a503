"""A client that says what no SMTP library would."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType


class Talk:
    """One connection, spoken by hand."""

    def __init__(self, port: int, patience_s: float = 30, source: str = "127.0.0.1") -> None:
        self._socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=patience_s, source_address=(source, 0)
        )
        self._buffer = b""
        self.greeting = self.answer()

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def say(self, line: str | bytes) -> str:
        """Say one line; the answer."""
        self.send((line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")) + b"\r\n")
        return self.answer()

    def answer(self) -> str:
        """The next answer, its last line; empty once the server has hung up."""
        lines = self.lines()
        return lines[-1] if lines else ""

    def lines(self) -> list[str]:
        """All lines of the next answer."""
        lines: list[str] = []
        while True:
            line, found, rest = self._buffer.partition(b"\r\n")
            if found:
                self._buffer = rest
                lines.append(line.decode())
                if line[3:4] == b"-":
                    continue
                return lines
            try:
                more = self._socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                return []
            self._buffer += more

    def start_tls(self, injected: bytes = b"") -> None:
        """STARTTLS, with what an attacker in the middle adds to the same packet."""
        self.send(b"STARTTLS\r\n" + injected)
        assert self.answer().startswith("220")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._buffer = b""
        self._socket = context.wrap_socket(self._socket)

    def envelope(self, recipient: str, sender: str = "ann@acme.example") -> str:
        """EHLO, MAIL and RCPT; the answer to the last."""
        self.say("EHLO client.example")
        self.say(f"MAIL FROM:<{sender}>")
        return self.say(f"RCPT TO:<{recipient}>")

    def data(self, content: bytes) -> str:
        """DATA with exactly these bytes, the end marker included."""
        assert self.say("DATA").startswith("354")
        self.send(content)
        return self.answer()
