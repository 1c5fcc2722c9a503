"""The Gmail and People APIs over HTTP: route, check the token, its scopes and the limits, run, answer."""

from __future__ import annotations

import asyncio
import gzip
from urllib.parse import unquote

from devstack.gmail import discovery, limits
from devstack.gmail.api import contacts, drafts, history, labels, messages, profile, rules, send_as, threads
from devstack.gmail.api.call import HANDLERS, Call
from devstack.gmail.errors import (
    ApiError,
    forbidden,
    insufficient_scopes,
    login_required,
    precondition,
    unauthenticated,
)
from devstack.gmail.faults import Fault, Faults
from devstack.gmail.grants import AccessToken
from devstack.gmail.mailbox import Mailbox
from devstack.gmail.methods import GMAIL, PEOPLE, Method, Routes
from devstack.gmail.partial import parse, select
from devstack.gmail.uploads import Uploads, read_json
from devstack.gmail.wire import Answer, ConnectionDropped, Json, Request, Response, as_json
from devstack.gmail.world import Logged, World

RESOURCES = (contacts, drafts, history, labels, messages, profile, rules, send_as, threads)
UPLOAD_PREFIXES = ("/upload/", "/resumable/upload/")
ID_PARAMS = ("messageId", "id", "sendAsEmail")


class GoogleApi:
    """Answers the calls of both APIs."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self.uploads = Uploads()
        self.gmail = Routes(GMAIL)
        self.people = Routes(PEOPLE)

    def handle(self, request: Request, *, batch: bool = False) -> Answer:
        """One request, answered at once or, with latency, later."""
        found = self._route(request)
        if found is None:
            return Response(
                404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html; charset=UTF-8"
            )
        method, params, user, media = found
        token = self._token(request)
        email = token.email if token else ""
        fault = self.faults.take(method.id, email)
        world = self.world
        wait = world.behaviour.latency_s + (fault.latency_s if fault else 0.0)
        entry = Logged(
            world.clock.now(),
            method.id,
            request.method,
            request.path,
            email,
            next((params[name] for name in ID_PARAMS if name in params), ""),
            request.one("format"),
            request.query,
            0,
            method.units,
            batch=batch,
        )
        world.requests.append(entry)
        most = world.behaviour.concurrent_per_mailbox
        if most and world.in_flight.get(email, 0) >= most:
            answer = limits.too_many_concurrent().response()
            entry.status, entry.units = answer.status, 0
            return answer
        if wait:
            world.in_flight[email] = world.in_flight.get(email, 0) + 1
            return self._later(wait, request, method, params, user, media, token, fault, entry)
        return self._run(request, method, params, user, media, token, fault, entry)

    async def _later(
        self,
        wait: float,
        request: Request,
        method: Method,
        params: dict[str, str],
        user: str,
        media: bool,
        token: AccessToken | None,
        fault: Fault | None,
        entry: Logged,
    ) -> Response:
        try:
            await asyncio.sleep(wait)
            return self._run(request, method, params, user, media, token, fault, entry)
        finally:
            self.world.in_flight[entry.mailbox] -= 1

    def _run(
        self,
        request: Request,
        method: Method,
        params: dict[str, str],
        user: str,
        media: bool,
        token: AccessToken | None,
        fault: Fault | None,
        entry: Logged,
    ) -> Response:
        if fault and fault.drop == "before":
            raise ConnectionDropped
        if fault and (fault.status or fault.body is not None) and not fault.after_effect:
            answer = fault.error()
        else:
            try:
                answer = self._perform(request, method, params, user, media, token)
            except ApiError as error:
                answer = error.response()
        if fault and fault.drop == "after":
            entry.status = answer.status
            raise ConnectionDropped
        if fault and fault.after_effect:
            answer = fault.error()
        if fault and fault.cut is not None:
            answer.cut = fault.cut
        entry.status = answer.status
        entry.bytes = len(answer.body)
        if answer.body and self.world.behaviour.gzip_answers and not entry.batch and wants_gzip(request):
            answer.body = gzip.compress(answer.body, 1)
            answer.headers.append(("Content-Encoding", "gzip"))
        return answer

    def _perform(
        self,
        request: Request,
        method: Method,
        params: dict[str, str],
        user: str,
        media: bool,
        token: AccessToken | None,
    ) -> Response:
        mailbox = self._authorize(request, method, user, token)
        assert token is not None
        body: Json = {}
        uploaded: bytes | None = None
        if media:
            taken = self.uploads.take(request, method)
            if isinstance(taken, Response):
                return taken
            body, uploaded = taken
        elif request.method != "GET":
            most = self.world.behaviour.json_request_max
            if most and len(request.body) > most:
                return Response(
                    400, b"<html><title>Error 400 (Bad Request)!!1</title></html>", "text/html; charset=UTF-8"
                )
            body = read_json(request.body)
        if request.query:
            discovery.check_query(method.id, request.query)
        if body:
            discovery.check_body(method.id, body)
        mask = parse(request.one("fields")) if "fields" in request.query else None
        client = self.world.settings.clients.get(token.client_id)
        limits.charge(
            self.world, mailbox.email, token.project, client.number if client else "1", method.units
        )
        call = Call(self.world, mailbox, token, method, params, request, body, uploaded, mask)
        value = HANDLERS[method.id](call)
        if value is None:
            return Response(204)
        return as_json(select(value, mask) if mask else value)

    def _authorize(self, request: Request, method: Method, user: str, token: AccessToken | None) -> Mailbox:
        if token is None:
            raise unauthenticated() if request.headers.get("authorization") else login_required()
        if method.scopes.isdisjoint(token.scopes):
            raise insufficient_scopes(method.id)
        mailbox = self.world.find(token.email)
        if mailbox is None:
            raise unauthenticated()
        if user != "me" and self.world.find(user) is not mailbox:
            raise forbidden(f"Delegation denied for {token.email}")
        if not mailbox.mail_enabled and method.id.startswith("gmail."):
            raise precondition("Mail service not enabled")
        return mailbox

    def _token(self, request: Request) -> AccessToken | None:
        bearer = request.headers.get("authorization", "")
        value = bearer[7:] if bearer[:7].lower() == "bearer " else request.one("access_token")
        return self.world.grants.check(value, self.world.clock.now())

    def _route(self, request: Request) -> tuple[Method, dict[str, str], str, bool] | None:
        path, media = request.path, False
        for prefix in UPLOAD_PREFIXES:
            if path.startswith(prefix):
                path, media = path[len(prefix) - 1 :], True
                break
        if path.startswith("/gmail/v1/users/"):
            segments = path[16:].split("/")
            if "%" in path:
                segments = [unquote(segment) for segment in segments]
            found = self.gmail.find(self._verb(request, media), segments[1:])
            user = segments[0]
        else:
            found = self.people.find(request.method, path.lstrip("/").split("/"))
            user = "me"
        if found is None or (media and not found[0].upload):
            return None
        return found[0], found[1], user, media

    def _verb(self, request: Request, media: bool) -> str:
        """The steps of a resumable upload are PUTs whatever the method's verb is."""
        if media and request.method == "PUT" and request.one("upload_id") and "/drafts/" not in request.path:
            return "POST"
        if media and request.path.endswith("/drafts/send"):
            return "POST"
        return request.method


def wants_gzip(request: Request) -> bool:
    """Google compresses only for clients that name gzip in both headers. Google API: "Performance tips"."""
    return "gzip" in request.headers.get("accept-encoding", "") and "gzip" in request.headers.get(
        "user-agent", ""
    )
