"""Run by an interpreter that has lieer: `gmi pull` of one mailbox of the emulator; prints the seconds it took.

    python bench/lieer_pull.py ENDPOINT TOKEN ACCOUNT FOLDER

lieer is left as it is, but for where Google is and for the consent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any


def main(endpoint: str, token: str, account: str, folder: str) -> None:
    """Pull into an empty folder under a notmuch database of its own."""
    mail = Path(folder) / "mail"
    mail.mkdir(parents=True)
    config = Path(folder) / "notmuch-config"
    config.write_text(
        f"[database]\npath={mail}\n[user]\nname=Ann\nprimary_email={account}\n[new]\nignore=/.*[.](json|lock|bak)$/\n"
    )
    os.environ["NOTMUCH_CONFIG"] = str(config)
    subprocess.run(["notmuch", "new", "--quiet"], check=True)
    here = mail / "account"
    here.mkdir()
    os.chdir(here)

    credentials: Any = import_module("google.oauth2.credentials")
    discovery: Any = import_module("googleapiclient.discovery")
    batches: Any = import_module("googleapiclient.http")
    gmi: Any = import_module("lieer.gmailieer").Gmailieer
    remote: Any = import_module("lieer.remote").Remote

    def authorize(self: Any, reauth: bool = False) -> None:
        self.service = discovery.build(
            "gmail",
            "v1",
            credentials=credentials.Credentials(token=token),
            client_options={"api_endpoint": endpoint},
        )
        self.service.new_batch_http_request = partial(batches.BatchHttpRequest, batch_uri=f"{endpoint}/batch")
        self.authorized = True

    remote.authorize = authorize
    sys.argv = ["gmi", "init", "--no-auth", account]
    gmi().main()
    sys.argv = ["gmi", "pull"]
    started = time.perf_counter()
    gmi().main()
    print(f"\nseconds {time.perf_counter() - started}")
    print(f"mails {sum(1 for _ in (here / 'mail').rglob('*:2,*'))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
