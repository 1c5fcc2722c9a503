"""The way to the system: a running API (`--api URL`), or Temporal and the database directly.

Without `--api` the same calls are served inside this process, so that both ways do exactly the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import httpx
import typer
from rich.console import Console

import settings

T = TypeVar("T")
Json = dict[str, Any]
TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.2

WIDTH_OF_A_FILE = 160
"""Columns where the output is no terminal: a table in a log is not squeezed into 80."""


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDTH_OF_A_FILE)


console = _console()
complaints = _console(stderr=True)


class CommandFailed(Exception):
    """A command did not work; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the system is reached."""

    api: str | None
    key: str | None
    location: str | None


class Door:
    """Calls of the HTTP API, their problems turned into `CommandFailed`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON of an answer, or its bytes where it is a file.

        Raises:
            CommandFailed: with the problem's own words.
        """
        answer = await self._ask(method, path, body, query)
        if not answer.is_success:
            raise CommandFailed(_words(answer))
        if answer.headers.get("content-type", "").startswith("application/json"):
            return answer.json()
        return answer.content

    async def _ask(self, method: str, path: str, body: Any, query: Json) -> httpx.Response:
        params = {name: value for name, value in query.items() if value is not None}
        try:
            return await self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:
            raise CommandFailed(
                f"The API at {self._client.base_url} cannot be reached ({type(error).__name__}). "
                "Start it with `make up`, or give another address with --api."
            ) from None

    async def get(self, path: str, **query: Any) -> Any:
        """GET."""
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any = None) -> Any:
        """POST."""
        return await self.call("POST", path, {} if body is None else body)

    async def every(self, path: str, most: int = 1000, **query: Any) -> list[Json]:
        """The items of a list, over its pages."""
        items: list[Json] = []
        cursor: str | None = None
        while len(items) < most:
            page = await self.get(path, limit=min(200, most - len(items)), cursor=cursor, **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return items

    async def readiness(self) -> Json:
        """What /readyz says, also where it says that something is away."""
        document: Json = (await self._ask("GET", "/readyz", None, {})).json()
        return document

    async def events(self) -> AsyncIterator[Json]:
        """The location's events as they happen, without end."""
        async with self._client.stream("GET", "/v1/events", timeout=None) as answer:
            if not answer.is_success:
                await answer.aread()
                raise CommandFailed(_words(answer))
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def user(self, name: str) -> Json:
        """A user by id or by login address."""
        if name.startswith("usr_"):
            user: Json = await self.get(f"/v1/users/{name}")
            return user
        return _one(await self.every("/v1/users"), name, "user", "python -m starter users")

    async def account(self, name: str) -> Json:
        """An account by id, by its Gmail address, or by its user's id."""
        if name.startswith("acc_"):
            account: Json = await self.get(f"/v1/accounts/{name}")
            return account
        return _one(await self.every("/v1/accounts"), name, "account", "python -m starter accounts")

    async def contact(self, name: str) -> Json:
        """A contact by id or by address; of several with one address the first created."""
        if "@" in name:
            found = await self.every("/v1/contacts", most=1, email=name)
            if not found:
                raise CommandFailed(f"There is no contact with the address {name}.")
            return found[0]
        contact: Json = await self.get(f"/v1/contacts/{name}")
        return contact

    async def wait_for(self, look: Callable[[], Awaitable[T | None]], pause_s: float) -> T:
        """Ask again until there is an answer, however long it takes."""
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(pause_s)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, wait_s: float) -> T:
        """Ask again until there is an answer, showing that we wait.

        Raises:
            CommandFailed: it took longer than `wait_s`.
        """
        with console.status(f"{what} …"):
            deadline = asyncio.get_running_loop().time() + wait_s
            while (found := await look()) is None:
                if asyncio.get_running_loop().time() > deadline:
                    raise CommandFailed(
                        f"{what}: not after {wait_s:.0f} s. `python -m starter status` shows where it stands."
                    )
                await asyncio.sleep(LOOK_AGAIN_S)
        return found


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The API answered {answer.status_code}."


def _one(rows: list[Json], name: str, kind: str, lister: str) -> Json:
    found = [row for row in rows if name in (row["id"], row.get("user_id")) or row["email"] == name.lower()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandFailed(f"There is no {kind} {name}. `{lister}` lists them.")
    raise CommandFailed(
        f"{name} fits {len(found)} {kind}s: {', '.join(row['id'] for row in found)}. Give the id."
    )


@asynccontextmanager
async def _open(options: Options, *, admin: bool) -> AsyncIterator[Door]:
    if options.api:
        key = options.key or (settings.load().admin_api_key.get_secret_value() if admin else None)
        if not key:
            raise CommandFailed("Give the location's API key with --key, or set CRM_API_KEY.")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=options.api, headers=headers, timeout=TIMEOUT_S) as client:
            yield Door(client)
        return
    async with _inside(options, admin=admin) as door:
        yield door


@asynccontextmanager
async def _inside(options: Options, *, admin: bool) -> AsyncIterator[Door]:
    # Imported late: `--help` and commands over --api need none of it.
    from api.app import create_app
    from api.keys import Caller, any_caller

    app = create_app(settings.load())
    caller = Caller(None)
    app.dependency_overrides[any_caller] = lambda: caller
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://inside", timeout=TIMEOUT_S) as client,
    ):
        door = Door(client)
        if not admin:
            caller = Caller(options.location or await _only_location(door))
        yield door


async def _only_location(door: Door) -> str:
    locations = await door.every("/v1/locations")
    if len(locations) == 1:
        return str(locations[0]["id"])
    if not locations:
        raise CommandFailed("There is no location yet: `python -m starter location-create NAME` makes one.")
    names = "\n".join(f"  {location['id']}  {location['name']}" for location in locations[:20])
    raise CommandFailed(f"Which location? Give --location (or set CRM_LOCATION):\n{names}")


def run(context: typer.Context, work: Callable[[Door], Awaitable[None]], *, admin: bool = False) -> None:
    """Run a command's work; what goes wrong is told in its own words."""
    options = context.obj
    assert isinstance(options, Options)

    async def within() -> None:
        async with _open(options, admin=admin) as door:
            await work(door)

    try:
        asyncio.run(within())
    except (CommandFailed, settings.SettingsError) as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """Say what went wrong, and end with 1."""
    complaints.print(f"[bold red]✗[/] {text}", highlight=False)
    raise typer.Exit(1)
