"""Where attachments and raw mail lie: a folder, S3 or Google Cloud Storage, by `BLOB_STORE_URL`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from settings import SettingsError


class BlobMissing(Exception):
    """A blob that a row points at is not in the store."""


class BlobStoreAway(OSError):
    """The store cannot be reached, or takes nothing more: a full disk, missing rights, a bucket that is gone."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise BlobStoreAway(
            f"the blob store fails ({type(error).__name__}): check BLOB_STORE_URL, its rights and its free space"
        ) from error


class Blobs:
    """Content-addressed within a location, so storing again changes nothing; tenants share nothing."""

    def __init__(self, url: str) -> None:
        """Take `BLOB_STORE_URL`.

        Raises:
            SettingsError: it leads to no store, or to a folder that cannot be made.
        """
        try:
            parts = urlsplit(url)
            if parts.scheme == "file":
                Path(unquote(parts.path)).mkdir(parents=True, exist_ok=True)
            self._store: ObjectStore = from_url(url)
        except (BaseError, OSError, ValueError) as error:
            raise SettingsError(
                "BLOB_STORE_URL cannot be used "
                f"({str(error).splitlines()[0]}): set file:///folder, s3://bucket or gs://bucket"
            ) from None

    def put(self, location_id: str, content: bytes) -> str:
        """Store bytes; returns the key to read them by.

        Raises:
            BlobStoreAway: nothing was stored.
        """
        key = self.key_of(location_id, content)
        with _told():
            self._store.put(key, content)
        return key

    @staticmethod
    def key_of(location_id: str, content: bytes) -> str:
        """The key under which these bytes are stored."""
        digest = hashlib.sha256(content).hexdigest()
        return f"{location_id}/{digest[:2]}/{digest}"

    def get(self, key: str) -> bytes:
        """The bytes of a key.

        Raises:
            BlobMissing: where the store has none.
            BlobStoreAway: the store cannot be asked.
        """
        try:
            with _told():
                return bytes(self._store.get(key).bytes())
        except FileNotFoundError:
            raise BlobMissing(f"blob {key} is not in the blob store: was BLOB_STORE_URL changed?") from None

    def delete(self, keys: list[str]) -> None:
        """Remove blobs; those already gone are fine."""
        for key in keys:
            try:
                with _told():
                    self._store.delete(key)
            except FileNotFoundError:
                continue
