"""Blobs: content-addressed within a location."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.blobs import BlobMissing, Blobs, BlobStoreAway


def test_storing_again_changes_nothing_and_tenants_share_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri())
    key = blobs.put("loc_1", b"content")
    assert blobs.put("loc_1", b"content") == key
    other = blobs.put("loc_2", b"content")
    assert other != key
    blobs.delete([key, key])
    assert blobs.get(other) == b"content"
    with pytest.raises(BlobMissing, match="BLOB_STORE_URL"):
        blobs.get(key)


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "a folder" / "blobs").as_uri())
    assert blobs.get(blobs.put("loc_1", b"")) == b""


def test_a_store_that_takes_nothing_is_told_from_a_missing_blob(tmp_path: Path) -> None:
    """A full disk or missing rights look the same; here a file stands where a folder should be made."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    key = blobs.put("loc_1", b"content")
    (tmp_path / "blobs" / "loc_2").write_bytes(b"")
    with pytest.raises(BlobStoreAway, match="free space"):
        blobs.put("loc_2", b"content")
    assert blobs.get(key) == b"content"
