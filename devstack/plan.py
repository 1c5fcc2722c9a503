"""What of a stack runs here, on which addresses, and what its processes are told.

An embedded part steps aside as soon as its setting points elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from devstack import env_files, ports, postgres
from devstack.packed_cluster import DATABASE
from devstack.process import PartError
from settings import Settings

EMBEDDED = ("postgres", "temporal", "gmail", "catcher")
OURS = ("worker", "api", "inbound")
PARTS = (*EMBEDDED, *OURS)

CLIENT_ID = "gmail-two-way-sync.apps.googleusercontent.com"
TOPIC = "projects/embedded/topics/gmail"
PUSH_SERVICE_ACCOUNT = "gmail-push@embedded.iam.gserviceaccount.com"

_ELSEWHERE = {
    "postgres": ("DATABASE_URL",),
    "temporal": ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"),
    "gmail": ("GMAIL_API_ENDPOINT",),
    "catcher": ("SMTP_PROVIDER_URL",),
}


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, on 127.0.0.1 unless a setting names another host."""

    postgres: int
    temporal: int
    temporal_ui: int
    temporal_http: int
    temporal_metrics: int
    gmail: int
    catcher: int
    catcher_http: int
    api: int
    inbound: int


# The ports that have a setting; the others are found, and remembered with the state.
_SETTING_OF = {
    "temporal": "TEMPORAL_PORT",
    "temporal_ui": "TEMPORAL_UI_PORT",
    "gmail": "GMAIL_EMULATOR_PORT",
    "api": "API_PORT",
    "inbound": "SMTP_INBOUND_PORT",
}


def port_setting(name: str) -> str:
    """The setting that moves a port; empty where it has none."""
    return _SETTING_OF.get(name, "")


@dataclass(frozen=True)
class Plan:
    """A stack before it starts."""

    state_dir: Path
    embedded: frozenset[str]
    ours: frozenset[str]
    ports: Ports
    secrets: Mapping[str, str]
    settings: Settings
    temporal_environment: Mapping[str, str]
    """`TEMPORAL_*` of an external server, as Temporal's own environment configuration defines them."""

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(name for name in PARTS if name in self.embedded | self.ours)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of the stack: each setting spelled out, so that no `.env` or
        exported variable of the caller gets in between."""
        fixed = {name.upper() for name in Settings.model_fields}
        env = {k: v for k, v in os.environ.items() if k not in fixed and not k.startswith("TEMPORAL_")}
        values = {name.upper(): getattr(self.settings, name) for name in Settings.model_fields}
        env |= {name: _text(value) for name, value in values.items() if value is not None}
        if "temporal" not in self.embedded:
            # Temporal's own configuration decides; an address that nobody set must not override a profile.
            if "TEMPORAL_ADDRESS" not in self.temporal_environment:
                env.pop("TEMPORAL_ADDRESS")
            if "TEMPORAL_NAMESPACE" not in self.temporal_environment:
                env.pop("TEMPORAL_NAMESPACE")
            env |= self.temporal_environment
        env["PYTHONUNBUFFERED"] = "1"
        return env


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def explicit_settings(root: Path) -> dict[str, str]:
    """What the person who runs us set: `.env`, and before it the environment."""
    return {**env_files.read(root / ".env"), **os.environ}


def make(
    state_dir: Path,
    given: Mapping[str, str],
    parts: set[str] | None,
    choose_ports: Literal["free", "settings"],
    postgres_password: str | None = None,
) -> Plan:
    """Decide what runs where, and write `stack.env` and `secrets.env`.

    Args:
        given: settings that somebody set on purpose, by their environment names.
        parts: of `PARTS`; None: all.
        postgres_password: of an embedded server that is there already; None: the one among the secrets.
        choose_ports: `settings`: where the settings say; `free`: wherever there is room.

    Raises:
        PartError: a part is missing whose address nobody gave, or there is no such part.
        pydantic.ValidationError: a setting is wrong.
    """
    if unknown := (parts or set()) - set(PARTS):
        raise PartError(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    wanted = set(PARTS) if parts is None else parts
    base = Settings(**_fields(given))
    embedded = frozenset(
        name for name in EMBEDDED if name in wanted and not _points_elsewhere(name, given, base)
    )
    chosen = _ports(state_dir, base, choose_ports)
    secrets = env_files.keep_secrets(state_dir)
    if postgres_password is not None:
        secrets["EMBEDDED_POSTGRES_PASSWORD"] = postgres_password
    told = _told(embedded, chosen, given, base, secrets)
    ours = {k: secrets[k] for k in ("ADMIN_API_KEY", "TOKEN_ENCRYPTION_KEYS")}
    if "gmail" in embedded:
        ours["GOOGLE_CLIENT_SECRET"] = secrets["GOOGLE_CLIENT_SECRET"]
    decided = _always(embedded, choose_ports)
    told = {name: value for name, value in told.items() if name not in given or name in decided}
    values = {**ours, **given, **told, "STATE_DIR": str(state_dir)}
    public = {name: values[name] for name in values if name in told or _is_public(name)}
    env_files.write(
        state_dir / env_files.STACK, public, "Written by `make up` at each start: where its parts are."
    )
    return Plan(
        state_dir=state_dir,
        embedded=embedded,
        ours=frozenset(wanted & set(OURS)),
        ports=chosen,
        secrets=secrets,
        settings=Settings(**_fields(values)),
        temporal_environment={k: v for k, v in given.items() if k.startswith("TEMPORAL_") and v},
    )


def _always(embedded: frozenset[str], choose_ports: str) -> set[str]:
    """Settings that the stack decides even where one was given: the address of a part that runs here."""
    names = {"DATABASE_URL"} if "postgres" in embedded else set()
    if "temporal" in embedded:
        names |= {"TEMPORAL_ADDRESS"}
    if "gmail" in embedded:
        names |= {"GMAIL_API_ENDPOINT"}
    if choose_ports == "free":
        names |= set(_SETTING_OF.values())
    return names


def _is_public(name: str) -> bool:
    field = Settings.model_fields.get(name.lower())
    return field is not None and field.annotation is not SecretStr and name != "STATE_DIR"


def _fields(values: Mapping[str, str]) -> dict[str, Any]:
    """Every field, so that the settings never look at this process's own environment."""
    known = {k.lower(): v for k, v in values.items() if k.lower() in Settings.model_fields}
    return {name: field.get_default() for name, field in Settings.model_fields.items()} | known


def _points_elsewhere(part: str, given: Mapping[str, str], base: Settings) -> bool:
    here = {
        "temporal": (base.temporal_port, "TEMPORAL_ADDRESS"),
        "gmail": (base.gmail_emulator_port, "GMAIL_API_ENDPOINT"),
    }
    for name in _ELSEWHERE[part]:
        value = given.get(name, "")
        port, setting = here.get(part, (0, ""))
        if value and not (name == setting and _is_local(value, port)):
            return True
    return False


def _is_local(address: str, port: int) -> bool:
    """Whether an address, with or without a scheme, is a port of this machine."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    return parts.hostname in {"127.0.0.1", "localhost", "::1"} and parts.port == port


def _ports(state_dir: Path, base: Settings, choose: str) -> Ports:
    names = [field.name for field in fields(Ports)]
    if choose == "free":
        return Ports(**{name: ports.take_free() for name in names})
    memory = state_dir / "ports.json"
    known: dict[str, int] = json.loads(memory.read_text()) if memory.exists() else {}
    found = {
        name: known[name] if name in known and ports.is_free(known[name]) else ports.take_free()
        for name in names
        if name not in _SETTING_OF
    }
    memory.write_text(json.dumps(found))
    fixed: dict[str, int] = {name: getattr(base, setting.lower()) for name, setting in _SETTING_OF.items()}
    return Ports(**found, **fixed)


def _told(
    embedded: frozenset[str],
    where: Ports,
    given: Mapping[str, str],
    base: Settings,
    secrets: Mapping[str, str],
) -> dict[str, str]:
    told = {name: str(getattr(where, port)) for port, name in _SETTING_OF.items()}
    host = base.api_host if base.api_host not in {"0.0.0.0", "::"} else "127.0.0.1"
    told["PUBLIC_URL"] = f"http://{host}:{where.api}"
    if "postgres" in embedded:
        told["DATABASE_URL"] = postgres.url(where.postgres, DATABASE, secrets["EMBEDDED_POSTGRES_PASSWORD"])
    if "temporal" in embedded:
        told["TEMPORAL_ADDRESS"] = f"127.0.0.1:{where.temporal}"
    if "catcher" in embedded:
        told["SMTP_PROVIDER_URL"] = f"smtp://127.0.0.1:{where.catcher}"
    if "gmail" in embedded:
        root = f"http://127.0.0.1:{where.gmail}"
        told |= {
            "GMAIL_API_ENDPOINT": root,
            "PEOPLE_API_ENDPOINT": root,
            "GOOGLE_AUTH_URI": f"{root}/o/oauth2/v2/auth",
            "GOOGLE_TOKEN_URI": f"{root}/token",
            "GOOGLE_REVOKE_URI": f"{root}/revoke",
            "GOOGLE_CERTS_URI": f"{root}/oauth2/v1/certs",
            "GOOGLE_CLIENT_ID": CLIENT_ID,
            "PUBSUB_TOPIC": TOPIC,
            "PUBSUB_PUSH_AUDIENCE": f"{given.get('PUBLIC_URL') or told['PUBLIC_URL']}/webhooks/gmail",
            "PUBSUB_PUSH_SERVICE_ACCOUNT": PUSH_SERVICE_ACCOUNT,
        }
    return told
