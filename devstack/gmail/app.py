"""Which part of the emulator answers which path."""

from __future__ import annotations

import asyncio

from devstack.gmail import batch
from devstack.gmail.control_api import ControlApi
from devstack.gmail.faults import Fault, Faults
from devstack.gmail.oauth import OAuth
from devstack.gmail.persons import Outside
from devstack.gmail.push import Pusher
from devstack.gmail.service import GoogleApi
from devstack.gmail.webmail import Webmail
from devstack.gmail.wire import Answer, ConnectionDropped, Request, Response, as_json, redirect
from devstack.gmail.world import Logged, World

API_PREFIXES = ("/gmail/v1/", "/upload/", "/resumable/", "/v1/people", "/v1/otherContacts")
OAUTH = {
    ("GET", "/o/oauth2/v2/auth"): "oauth.auth",
    ("GET", "/o/oauth2/auth"): "oauth.auth",
    ("POST", "/o/oauth2/v2/auth"): "oauth.consent",
    ("POST", "/o/oauth2/auth"): "oauth.consent",
    ("POST", "/token"): "oauth.token",
    ("POST", "/oauth2/v4/token"): "oauth.token",
    ("POST", "/revoke"): "oauth.revoke",
    ("GET", "/revoke"): "oauth.revoke",
    ("GET", "/oauth2/v1/certs"): "oauth.certs",
    ("GET", "/oauth2/v3/certs"): "oauth.certs",
    ("GET", "/oauth2/v3/userinfo"): "oauth.userinfo",
    ("GET", "/oauth2/v2/userinfo"): "oauth.userinfo",
    ("GET", "/v1/userinfo"): "oauth.userinfo",
}


class App:
    """The whole emulator behind one handler."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.api = GoogleApi(world, self.faults)
        self.oauth = OAuth(world)
        self.pusher = Pusher(world)
        self.outside = Outside(world)
        self.control = ControlApi(world, self.faults, self.oauth, self.pusher)
        self.webmail = Webmail(world)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        path = request.path
        if path.startswith(API_PREFIXES):
            return self.api.handle(request)
        name = OAUTH.get((request.method, path))
        if name is not None:
            return self._oauth(name, request)
        if path.startswith("/emulator/"):
            return self.control.handle(request)
        if path in ("/batch", "/batch/gmail/v1") or path.startswith("/batch/"):
            return batch.run(request, lambda inner: self.api.handle(inner, batch=True))
        if path.startswith("/webmail"):
            return self.webmail.handle(request)
        if path == "/":
            return redirect("/webmail")
        return Response(
            404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html; charset=UTF-8"
        )

    def _oauth(self, name: str, request: Request) -> Answer:
        fault = self.faults.take(name, "")
        if fault and fault.drop == "before":
            raise ConnectionDropped
        if fault and fault.latency_s:
            return self._late_oauth(name, request, fault)
        return self._oauth_answer(name, request, fault)

    async def _late_oauth(self, name: str, request: Request, fault: Fault) -> Response:
        await asyncio.sleep(fault.latency_s)
        return self._oauth_answer(name, request, fault)

    def _oauth_answer(self, name: str, request: Request, fault: Fault | None) -> Response:
        if fault and (fault.status or fault.body is not None) and not fault.after_effect:
            answer = fault.error()
        else:
            answer = self._perform(name, request)
        self.world.requests.append(
            Logged(
                self.world.clock.now(), name, request.method, request.path, "", "", "", {}, answer.status, 0
            )
        )
        if fault and fault.drop == "after":
            raise ConnectionDropped
        if fault and fault.cut is not None:
            answer.cut = fault.cut
        return answer

    def _perform(self, name: str, request: Request) -> Response:
        if name == "oauth.certs":
            keys = self.world.keys
            answer = as_json(keys.pem_by_kid() if "/v1/" in request.path else keys.jwks())
            answer.headers.append(("Cache-Control", "public, max-age=19800, must-revalidate, no-transform"))
            return answer
        if name == "oauth.auth":
            return self.oauth.authorize_page(request)
        if name == "oauth.consent":
            return self.oauth.authorize_submit(request)
        if name == "oauth.token":
            return self.oauth.token(request)
        if name == "oauth.revoke":
            return self.oauth.revoke(request)
        return self.oauth.userinfo(request)
