"""The control API under /emulator/: JSON in, JSON out, one operation a path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from devstack.gmail.errors import ApiError
from devstack.gmail.operations.accounts import AccountOperations
from devstack.gmail.operations.base import Refused
from devstack.gmail.operations.looking import LookOperations
from devstack.gmail.operations.mail import MailOperations
from devstack.gmail.operations.switches import SwitchOperations
from devstack.gmail.wire import Json, Request, Response, as_json


class ControlApi(SwitchOperations, AccountOperations, MailOperations, LookOperations):
    """Operations for tests, demos and benchmarks; every `op_<name>` is one path."""

    def handle(self, request: Request) -> Response:
        """Run the operation that the path names."""
        name = request.path.removeprefix("/emulator/").strip("/").replace("-", "_")
        operation: Callable[[Json], Any] | None = getattr(self, f"op_{name}", None)
        if operation is None:
            return as_json({"error": f"no operation {name}"}, 404)
        try:
            args: Json = json.loads(request.body) if request.body.strip() else {}
            args = {key: values[-1] for key, values in request.query.items()} | args
            return as_json(operation(args))
        except ApiError as error:
            return error.response()
        except (Refused, KeyError, ValueError, TypeError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)
