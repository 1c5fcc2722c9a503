"""Read by the interpreter that runs lieer, before lieer: Google is at GOOGLE_ROOT. No code of lieer is changed."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

root = os.environ.get("GOOGLE_ROOT", "")
if root:
    documents: Any = import_module("googleapiclient.discovery_cache")
    credentials: Any = import_module("google.oauth2.credentials")
    shipped = documents.get_static_doc

    def with_our_root(name: str, version: str) -> Any:
        """The discovery document that the client library ships, with its root URL replaced."""
        text = shipped(name, version)
        return text and text.replace("https://gmail.googleapis.com/", f"{root}/")

    documents.get_static_doc = with_our_root
    credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT = f"{root}/token"
