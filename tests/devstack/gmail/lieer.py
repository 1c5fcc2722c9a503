"""lieer, a Gmail client that is not ours, with a notmuch database of its own: unmodified, run as the program `gmi`.

Only where Google is comes from outside (`lieer_site`); the consent is a credentials file as lieer writes it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import ROOT
from tests.devstack.gmail.test_oauth import CLIENT, SECRET, connect

HOME = ROOT / ".local" / "lieer"
VERSION = "lieer==1.6"
SITE = Path(__file__).parent / "lieer_site"
INSTALL_S = 150
RUN_S = 120
AUTH = "https://www.googleapis.com/auth/gmail."
TAGS = {
    **{name: name.lower() for name in ("INBOX", "SPAM", "TRASH", "UNREAD", "IMPORTANT", "SENT", "DRAFT")},
    "STARRED": "flagged",
}
"""lieer's names of the system labels (its README)."""
OWN_TAGS = frozenset(("attachment", "signed", "encrypted", "replied", "passed"))
"""Tags that notmuch sets by itself; lieer leaves them out on both sides."""


def installed() -> Path:
    """The program `gmi`, installed once into .local; skips the test where that cannot be done."""
    program = HOME / "bin" / "gmi"
    if not shutil.which("notmuch"):
        pytest.skip("lieer needs notmuch: apt-get install notmuch libnotmuch-dev gcc python3-dev")
    if program.exists():
        return program
    if not Path("/usr/include/notmuch.h").exists() or not shutil.which("gcc"):
        pytest.skip("lieer needs a compiler and notmuch.h: apt-get install libnotmuch-dev gcc python3-dev")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, timeout=INSTALL_S)
        install = [str(HOME / "bin" / "python"), "-m", "pip", "install", "-q", VERSION]
        subprocess.run(install, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"{VERSION} cannot be installed here: {type(error).__name__}")
    return program


@dataclass(frozen=True, slots=True)
class Copy:
    """What notmuch knows of one Gmail message."""

    file: Path
    tags: frozenset[str]
    rfc_id: str


class Lieer:
    """One account's lieer repository below `folder`."""

    def __init__(self, gmail: GmailControl, email: str, folder: Path) -> None:
        self.program = installed()
        self.here = folder / "mail" / "account"
        self.here.mkdir(parents=True)
        config = folder / "notmuch-config"
        config.write_text(
            f"[database]\npath={folder / 'mail'}\n[user]\nname=Bob\nprimary_email={email}\n"
            "[new]\ntags=\nignore=/.*[.](json|lock|bak)$/\n[search]\nexclude_tags=\n[maildir]\nsynchronize_flags=false\n"
        )
        self.env = {
            **os.environ,
            "NOTMUCH_CONFIG": str(config),
            "GOOGLE_ROOT": gmail.base_url,
            "PYTHONPATH": str(SITE),
        }
        self.notmuch("new", "--quiet")
        self.gmi("init", "--no-auth", email)
        scopes = " ".join(AUTH + name for name in ("readonly", "labels", "modify"))
        granted = connect(gmail, email, scope=scopes)
        stored = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "refresh_token": granted["refresh_token"],
            "scopes": [AUTH + "readonly", AUTH + "labels", AUTH + "modify"],
        }
        (self.here / ".credentials.gmailieer.json").write_text(json.dumps(stored))

    def gmi(self, *words: str, stdin: bytes = b"") -> str:
        """Run lieer; its output, with a failure if it failed."""
        return self._run([self.program, *words], stdin)

    def notmuch(self, *words: str) -> str:
        """Run notmuch over the same database."""
        return self._run(["notmuch", *words], b"")

    def _run(self, command: list[Any], stdin: bytes) -> str:
        done = subprocess.run(
            command,
            cwd=self.here,
            env=self.env,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_S,
            check=False,
        )
        said = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"{command}: {said}"
        return said

    def copies(self) -> dict[str, Copy]:
        """All messages of the repository, by Gmail's id."""
        shown = self.notmuch("show", "--format=json", "--body=false", "--entire-thread=false", "*")
        found: dict[str, Copy] = {}

        def walk(node: Any) -> None:
            if isinstance(node, list):
                for inner in node:
                    walk(inner)
            elif node:
                for name in node["filename"]:
                    gmail_id = Path(name).name.partition(":2,")[0]
                    found[gmail_id] = Copy(Path(name), frozenset(node["tags"]) - OWN_TAGS, node["id"])

        walk(json.loads(shown))
        return found

    def cursor(self) -> int:
        """The history id up to which lieer believes to know the mailbox."""
        state = json.loads((self.here / ".state.gmailieer.json").read_text())
        return int(state["last_historyId"])

    def tag(self, gmail_id: str, *changes: str) -> None:
        """The user changes tags in their mail program: `+flagged`, `-inbox`."""
        self.notmuch("tag", *changes, "--", f"id:{self.copies()[gmail_id].rfc_id}")


def tags_of(labels: list[str], names: dict[str, str]) -> frozenset[str]:
    """The tags that lieer makes of Gmail's labels; categories are left out. `names`: user labels by id."""
    return frozenset(TAGS.get(label) or names[label] for label in labels if not label.startswith("CATEGORY_"))
