"""`python -m devstack.gmail`: run the emulator."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
from pathlib import Path

import uvloop

from devstack.gmail.app import App
from devstack.gmail.behaviour import Client, Settings
from devstack.gmail.server import Connection
from devstack.gmail.state import StateFile
from devstack.gmail.world import World

CLIENT_ID = "407408718192-emulator.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-emulator"
SAVE_EVERY_S = 20
GC_THRESHOLDS = (50_000, 20, 100)  # mails are many objects that live long


def arguments() -> argparse.Namespace:
    """The command line; defaults come from the environment."""
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m devstack.gmail", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=int(env("GMAIL_EMULATOR_PORT", "8100")), help="0 takes a free one"
    )
    parser.add_argument("--port-file", type=Path, help="write the port there once it listens")
    parser.add_argument(
        "--state", type=Path, help="load this file at start, save to it at the end and every 20 s"
    )
    parser.add_argument("--client-id", default=env("GOOGLE_CLIENT_ID") or CLIENT_ID)
    parser.add_argument("--client-secret", default=env("GOOGLE_CLIENT_SECRET") or CLIENT_SECRET)
    parser.add_argument("--topic", default=env("PUBSUB_TOPIC") or "projects/emulator/topics/gmail")
    parser.add_argument("--push-endpoint", default=env("PUBSUB_PUSH_ENDPOINT", ""))
    parser.add_argument("--push-audience", default=env("PUBSUB_PUSH_AUDIENCE", ""))
    parser.add_argument(
        "--push-service-account",
        default=env("PUBSUB_PUSH_SERVICE_ACCOUNT") or "gmail-push@emulator.iam.gserviceaccount.com",
    )
    parser.add_argument(
        "--smtp-route",
        action="append",
        default=[],
        metavar="DOMAIN=HOST:PORT",
        help="deliver this domain's mail by SMTP",
    )
    parser.add_argument(
        "--mailbox", action="append", default=[], metavar="EMAIL", help="open this account at start"
    )
    return parser.parse_args()


def build_world(options: argparse.Namespace) -> World:
    """The world that the command line describes."""
    settings = Settings(
        topic=options.topic,
        push_endpoint=options.push_endpoint,
        push_audience=options.push_audience,
        push_service_account=options.push_service_account,
    )
    project = options.topic.split("/")[1]
    settings.subscription = f"projects/{project}/subscriptions/gmail-push"
    for route in options.smtp_route:
        domain, _, target = route.partition("=")
        host, _, port = target.rpartition(":")
        settings.smtp_routes[domain.lower()] = (host or "127.0.0.1", int(port))
    world = World(settings=settings)
    world.add_client(Client(options.client_id, options.client_secret, project))
    return world


def welcome(root: str, options: argparse.Namespace, world: World) -> str:
    """What to do with the emulator, for the person who started it."""
    secret = options.client_secret if options.client_secret == CLIENT_SECRET else "as given"
    accounts = len(world.mailboxes)
    first = next(iter(world.mailboxes.values()), None)
    lines = [
        f"gmail emulator ready on {root}",
        f"  read and write   {root}/webmail ({accounts} account{'' if accounts == 1 else 's'})"
        if first
        else f"  open an account  {root}/webmail, or start with --mailbox bob@gmail.com",
        f"  the other side   {root}/webmail/outside: anybody who is no account here",
        f'  API              client_options={{"api_endpoint": "{root}"}}; Gmail v1, People v1, batch, upload',
        f"  consent          {root}/o/oauth2/v2/auth, tokens at {root}/token",
        f"  OAuth client     {options.client_id}, secret {secret}",
        f"  pushes           {options.topic} to {options.push_endpoint or 'nowhere (--push-endpoint URL)'}",
        f"  from tests       devstack.gmail.control.GmailControl({root!r}); docs/gmail-emulator.md",
    ]
    return "\n".join(lines)


async def serve(options: argparse.Namespace) -> None:
    """Listen until a signal says stop."""
    world = build_world(options)
    state = StateFile(options.state, world) if options.state else None
    if state:
        state.load()
    for email in options.mailbox:
        world.create_mailbox(email)
    app = App(world)
    gc.set_threshold(*GC_THRESHOLDS)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        server = await loop.create_server(
            lambda: Connection(app.handle), options.host, options.port, backlog=1024
        )
    except OSError as error:
        place = f"{options.host}:{options.port}"
        if error.errno == errno.EADDRINUSE:
            raise SystemExit(f"{place} is taken; --port 0 takes a free one") from None
        raise SystemExit(f"cannot listen on {place}: {error.strerror}") from None
    port = server.sockets[0].getsockname()[1]
    if options.port_file:
        partial = options.port_file.with_suffix(".new")
        partial.write_text(str(port))
        partial.rename(options.port_file)
    print(welcome(f"http://{options.host}:{port}", options, world), flush=True)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SAVE_EVERY_S)
        if state:
            state.save_changes()
    server.close()
    await app.pusher.drain()
    await app.outside.drain()
    if state:
        state.save()


if __name__ == "__main__":
    uvloop.run(serve(arguments()))
    sys.stdout.flush()
    os._exit(0)  # freeing every mail one by one would take seconds
