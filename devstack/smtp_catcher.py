"""The SMTP provider of a stack: takes every mail, sends none on, and shows what it has.

`python -m devstack.smtp_catcher --port N --http-port N`. Over HTTP: `GET /messages` lists what it caught
(`?to=` and `?after=ID` narrow it), `GET /messages/ID` is one mail's bytes, `DELETE /messages` forgets all,
`PUT /refusals` makes it refuse, `GET /healthz` and a page at `/`. It accepts any login.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import html
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

MAX_BYTES = 40 * 2**20


class Refusals(BaseModel):
    """How often the catcher says no; nothing by default.

    Rates are shares of recipients, decided by a generator with `seed`, so that a run can be repeated.
    `recipients` are addresses that are always refused for good. `after_data` refuses whole mails at the end
    of DATA, temporarily. `drop_after_data` closes the connection without an answer after it has taken the
    mail.
    """

    temporary_rate: float = Field(0, ge=0, le=1)
    permanent_rate: float = Field(0, ge=0, le=1)
    after_data_rate: float = Field(0, ge=0, le=1)
    drop_after_data_rate: float = Field(0, ge=0, le=1)
    recipients: list[str] = []
    seed: int = 1


@dataclass(frozen=True)
class Caught:
    """One mail as it came in."""

    id: int
    received_at: float
    mail_from: str
    rcpt_tos: list[str]
    raw: bytes

    def as_json(self) -> dict[str, Any]:
        """What the list shows; `received_at` in Unix seconds, `size` in bytes."""
        message = email.message_from_bytes(self.raw, policy=email.policy.compat32)
        return {
            "id": self.id,
            "received_at": self.received_at,
            "mail_from": self.mail_from,
            "rcpt_tos": self.rcpt_tos,
            "size": len(self.raw),
            "headers": [[name, str(value)] for name, value in message.items()],
        }


@dataclass
class Catcher:
    """What was caught, newest last, and what is refused."""

    keep: int
    caught: deque[Caught] = field(default_factory=deque)
    count: int = 0
    refused: int = 0
    refusals: Refusals = field(default_factory=Refusals)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def set_refusals(self, refusals: Refusals) -> None:
        self.refusals = refusals
        self.chance = random.Random(refusals.seed)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusals = self.refusals
        if address.lower() in {a.lower() for a in refusals.recipients}:
            self.refused += 1
            return "550 5.1.1 No such user here"
        draw = self.chance.random()
        if draw < refusals.permanent_rate:
            self.refused += 1
            return "550 5.1.1 No such user here"
        if draw < refusals.permanent_rate + refusals.temporary_rate:
            self.refused += 1
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        draw = self.chance.random()
        if draw < self.refusals.after_data_rate:
            self.refused += 1
            return "451 4.3.0 Try again later"
        self.count += 1
        raw = envelope.original_content or b""
        self.caught.append(
            Caught(self.count, time.time(), envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        )
        if len(self.caught) > self.keep:
            self.caught.popleft()
        if draw < self.refusals.after_data_rate + self.refusals.drop_after_data_rate:
            transport = server.transport
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        return f"250 2.0.0 OK {self.count}"

    def find(self, to: str = "", after: int = 0) -> list[Caught]:
        """Caught mails in order, those to one recipient or above one id alone."""
        wanted = to.lower()
        return [
            m
            for m in self.caught
            if m.id > after and (not wanted or wanted in [r.lower() for r in m.rcpt_tos])
        ]


def _let_in(*_: object) -> AuthResult:
    return AuthResult(success=True)


def application(catcher: Catcher, host: str, smtp_port: int) -> Starlette:
    """The HTTP side, which starts and stops the SMTP side with it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            return SMTP(
                catcher,
                hostname="catcher.localhost",
                ident="catcher",
                data_size_limit=MAX_BYTES,
                enable_SMTPUTF8=True,
                authenticator=_let_in,
                auth_require_tls=False,
                loop=loop,
            )

        server = await loop.create_server(session, host, smtp_port)
        yield
        server.close()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "caught": catcher.count, "refused": catcher.refused})

    async def messages(request: Request) -> Response:
        if request.method == "DELETE":
            catcher.caught.clear()
            return Response(status_code=204)
        query = request.query_params
        after = query.get("after", "0")
        if not after.isdigit():
            return JSONResponse({"detail": "after: an id is a number"}, 422)
        found = catcher.find(query.get("to", ""), int(after))
        return JSONResponse({"items": [m.as_json() for m in found]})

    async def message(request: Request) -> Response:
        found = [m for m in catcher.caught if m.id == request.path_params["id"]]
        if not found:
            return JSONResponse({"detail": "no such mail"}, 404)
        return Response(found[0].raw, media_type="message/rfc822")

    async def refusals(request: Request) -> Response:
        if request.method == "PUT":
            try:
                catcher.set_refusals(Refusals.model_validate_json(await request.body()))
            except ValidationError as error:
                return JSONResponse({"detail": error.errors(include_url=False, include_context=False)}, 422)
        return JSONResponse(catcher.refusals.model_dump())

    async def page(_: Request) -> Response:
        return HTMLResponse(_page(catcher))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/healthz", healthz),
            Route("/messages", messages, methods=["GET", "DELETE"]),
            Route("/messages/{id:int}", message),
            Route("/refusals", refusals, methods=["GET", "PUT"]),
        ],
        lifespan=lifespan,
    )


_PAGE = """<!doctype html><meta charset="utf-8"><title>Mail that left through the SMTP provider</title>
<style>body{{font:15px system-ui;margin:2rem;max-width:70rem}}td,th{{padding:.3rem .8rem;text-align:left;
border-bottom:1px solid #ddd}}table{{border-collapse:collapse;width:100%}}</style>
<h1>Mail that left through the SMTP provider</h1><p>{count} caught, the last {shown} below; nothing is sent
on.</p>
<table><tr><th>#<th>From<th>To<th>Subject<th>Bytes</tr>{rows}</table>"""


def _page(catcher: Catcher) -> str:
    last = list(catcher.caught)[-200:][::-1]
    rows = []
    for caught in last:
        subject = email.message_from_bytes(caught.raw, policy=email.policy.default).get("Subject", "")
        cells = (caught.mail_from, ", ".join(caught.rcpt_tos), str(subject), str(len(caught.raw)))
        cells_html = "".join(f"<td>{html.escape(cell)}" for cell in cells)
        rows.append(f'<tr><td><a href="/messages/{caught.id}">{caught.id}</a>{cells_html}</tr>')
    return _PAGE.format(count=catcher.count, shown=len(last), rows="".join(rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m devstack.smtp_catcher", description="Takes mail, sends none on."
    )
    parser.add_argument("--port", type=int, required=True, help="where SMTP listens")
    parser.add_argument("--host", default="127.0.0.1", help="address of both")
    parser.add_argument("--http-port", type=int, required=True, help="where its list and page are")
    parser.add_argument("--keep", type=int, default=20_000, help="mails that are kept; the oldest go first")
    given = parser.parse_args()
    app = application(Catcher(given.keep), given.host, given.port)
    uvicorn.run(app, host=given.host, port=given.http_port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
