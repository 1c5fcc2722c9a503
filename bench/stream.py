"""Listens to a location's event stream and notes when each message was told of."""

from __future__ import annotations

import json
import threading
import time

import httpx


class EventStream:
    """`GET /v1/events` in a thread; times are Unix seconds, as the emulator's push log has them."""

    def __init__(self, api_url: str, key: str) -> None:
        self._told: dict[str, float] = {}
        self._news = threading.Condition()
        self._client = httpx.Client(
            base_url=api_url, headers={"Authorization": f"Bearer {key}"}, timeout=None
        )
        self._connected = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._connected.wait(30):
            raise TimeoutError("the event stream did not open")

    def told_at(self, subject: str, patience_s: float = 60.0) -> float:
        """When the message with this subject was told of."""
        with self._news:
            if not self._news.wait_for(lambda: subject in self._told, patience_s):
                raise TimeoutError(f"no event of {subject!r}")
            return self._told[subject]

    def close(self) -> None:
        """Stop listening."""
        self._client.close()

    def _listen(self) -> None:
        try:
            with self._client.stream("GET", "/v1/events") as answer:
                self._connected.set()
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        self._note(line[5:])
        except (httpx.HTTPError, RuntimeError):
            return  # closed by us

    def _note(self, text: str) -> None:
        at = time.time()
        data = json.loads(text).get("data") or {}
        subject = data.get("subject")
        if subject:
            with self._news:
                self._told.setdefault(subject, at)
                self._news.notify_all()
