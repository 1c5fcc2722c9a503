"""The two files under STATE_DIR that tell every process where the parts are and what the secrets are.

`stack.env` has the addresses of the embedded parts, written anew at each start; `secrets.env` what was
generated once.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet
from dotenv import dotenv_values

STACK = "stack.env"
SECRETS = "secrets.env"


def read(path: Path) -> dict[str, str]:
    """The assignments of a file; none where there is no such file."""
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def write(path: Path, values: Mapping[str, str], title: str) -> None:
    """Replace a file in one step, readable by its owner alone: addresses may hold passwords."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    lines = [f"# {title}", *(f"{name}={_quoted(value)}" for name, value in values.items())]
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    fresh.replace(path)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_GENERATED: dict[str, Callable[[], str]] = {
    "ADMIN_API_KEY": lambda: "admin_" + secrets.token_urlsafe(32),
    "TOKEN_ENCRYPTION_KEYS": lambda: Fernet.generate_key().decode(),
    "GOOGLE_CLIENT_SECRET": lambda: "GOCSPX-" + secrets.token_urlsafe(21),
    "EMBEDDED_POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(24),
}


def keep_secrets(state_dir: Path) -> dict[str, str]:
    """The secrets of this state, generated where they are not there yet, with mode 0600."""
    path = state_dir / SECRETS
    known = read(path)
    missing = {name: make() for name, make in _GENERATED.items() if not known.get(name)}
    if missing or path.stat().st_mode & 0o077:
        write(
            path,
            {**known, **missing},
            "Generated once by `make up`; keep them, or stored tokens cannot be read.",
        )
    return {**known, **missing}


def main() -> None:
    """`python -m devstack.env_files STATE_DIR`: generate what is missing, for containers."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python -m devstack.env_files STATE_DIR")
        sys.exit(0 if "--help" in sys.argv else 2)
    state_dir = Path(sys.argv[1])
    state_dir.mkdir(parents=True, exist_ok=True)
    keep_secrets(state_dir)
    print(f"the secrets are in {state_dir / SECRETS}")


if __name__ == "__main__":
    main()
