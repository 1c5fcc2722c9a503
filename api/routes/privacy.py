"""Export and erasure of a contact's or a mailbox's data (S29)."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Annotated, Any

import structlog
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api.context import Context, ContextOf
from api.keys import LocationId
from api.problems import Problem, unavailable
from api.routes.accounts import account_of, begin_disconnect
from api.routes.contacts import contact_of
from crm import contacts, erasure, exporting
from crm.exporting import ExportFile
from models import Erasure
from models.states import AccountState
from storage.blobs import BlobMissing, BlobStoreAway

log = structlog.get_logger()
router = APIRouter(tags=["Export and erasure"])

IN_MEMORY = 16 * 2**20
CHUNK = 256 * 1024
DISCONNECT_WAIT_S = 20.0
DISCONNECT_LOOK_S = 0.1
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {}}, "description": "A zip of JSON, mails and attachments."}
}


class Receipt(BaseModel):
    """What went, in numbers."""

    receipt_id: str
    erased_at: datetime
    counts: dict[str, int]

    @classmethod
    def of(cls, row: Erasure) -> Receipt:
        """The receipt of a row."""
        return cls.model_validate(exporting.receipt(row))


@router.get("/v1/contacts/{contact_id}/export", response_class=StreamingResponse, responses=_ZIP)
def export_contact(contact_id: str, location_id: LocationId, context: ContextOf) -> StreamingResponse:
    """Everything that is known of a contact."""
    with context.database.session() as session:
        contact = contact_of(session, location_id, contact_id)
        return _download(
            _zipped(context, exporting.contact_files(session, contact)), f"contact-{contact_id}.zip"
        )


@router.get("/v1/accounts/{account_id}/export", response_class=StreamingResponse, responses=_ZIP)
def export_account(account_id: str, location_id: LocationId, context: ContextOf) -> StreamingResponse:
    """Everything that is known of a mailbox."""
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        files = exporting.account_files(session, account, context.limits)
        return _download(_zipped(context, files), f"account-{account_id}.zip")


@router.delete(
    "/v1/contacts/{contact_id}",
    response_model=Receipt,
    responses={204: {"description": "Taken away; its mail stays."}},
)
def delete_contact(
    contact_id: str,
    location_id: LocationId,
    context: ContextOf,
    erase: Annotated[bool, Query(description="Also erase all its data, with a receipt.")] = False,
) -> Receipt | Response:
    """Take a contact away, its mail stays; with `?erase=true` erase all its data (S29)."""
    with context.database.session() as session:
        contact = contact_of(session, location_id, contact_id)
        if not erase:
            contacts.delete_softly(session, contact)
            return Response(status_code=204)
        receipt = Receipt.of(erasure.erase_contact(session, contact))
    _remove_blobs(context)
    return receipt


@router.delete("/v1/accounts/{account_id}")
def erase_account(
    account_id: str,
    location_id: LocationId,
    context: ContextOf,
    erase: Annotated[bool, Query(description="Must be true: disconnecting alone keeps the mail.")] = False,
) -> Receipt:
    """Disconnect a mailbox and erase its data (S29)."""
    with context.database.session() as session:
        state = account_of(session, location_id, account_id).state
    if not erase:
        raise Problem(
            422,
            "invalid-request",
            "Say ?erase=true to erase the mailbox's data. To keep the mail, disconnect it instead "
            f"(POST /v1/accounts/{account_id}/disconnect).",
            errors=[{"pointer": "query:erase", "detail": "must be true"}],
        )
    if state != AccountState.DISCONNECTED:
        begin_disconnect(context, account_id)
        _await_disconnected(context, location_id, account_id)
    with context.database.session() as session:
        receipt = Receipt.of(erasure.erase_account(session, account_of(session, location_id, account_id)))
    _remove_blobs(context)
    return receipt


def _await_disconnected(context: Context, location_id: str, account_id: str) -> None:
    deadline = time.monotonic() + DISCONNECT_WAIT_S
    while True:
        with context.database.session() as session:
            if account_of(session, location_id, account_id).state == AccountState.DISCONNECTED:
                return
        if time.monotonic() > deadline:
            raise unavailable("The mailbox is still being disconnected; nothing was erased yet. Try again.")
        time.sleep(DISCONNECT_LOOK_S)


def _remove_blobs(context: Context) -> None:
    """At once; where the store fails, the sweep removes them later."""
    try:
        with context.database.session() as session:
            keys = erasure.doomed(session)
            context.blobs.delete(keys)
            erasure.forget(session, keys)
    except BlobStoreAway as error:
        log.warning("erased_blobs_wait_for_sweep", error=type(error.__cause__).__name__)


def _zipped(context: Context, files: Iterable[ExportFile]) -> IO[bytes]:
    """The files as a zip; one whose blob is gone is named in `missing.txt`."""
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (closed once it is sent)
    missing = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            try:
                archive.writestr(file.name, context.blobs.get(file.blob) if file.blob else file.content)
            except BlobMissing:
                missing.append(file.name)
        if missing:
            archive.writestr("missing.txt", "\n".join(missing))
    target.seek(0)
    return target


def _download(content: IO[bytes], filename: str) -> StreamingResponse:
    def chunks() -> Iterator[bytes]:
        with content:
            while chunk := content.read(CHUNK):
                yield chunk

    return StreamingResponse(
        chunks(),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )
