"""Control operations: looking at mailboxes, requests, pushes and mail that left."""

from __future__ import annotations

import base64
import dataclasses

from devstack.gmail.operations.base import Operations, shown_message
from devstack.gmail.wire import Json


class LookOperations(Operations):
    """What there is."""

    def op_mailboxes(self, args: Json) -> Json:
        """All accounts with their totals."""
        return {
            "mailboxes": [
                {
                    "email": m.email,
                    "name": m.name,
                    "messages": len(m.messages),
                    "history_id": str(m.history.current),
                }
                for m in self.world.mailboxes.values()
            ]
        }

    def op_mailbox(self, args: Json) -> Json:
        """All messages of a mailbox, oldest first; `raw` adds the bytes (base64)."""
        mailbox = self._mailbox(args)
        with_raw = str(args.get("raw", "")).lower() in ("true", "1")
        messages = [entry[2] for entry in mailbox.order]
        return {
            "email": mailbox.email,
            "history_id": str(mailbox.history.current),
            "messages": [shown_message(message, with_raw=with_raw) for message in messages],
            "drafts": dict(mailbox.drafts),
            "watches": {
                p: {"topic": w.topic, "expires_at": w.expires_at} for p, w in mailbox.watches.items()
            },
        }

    def op_outbox(self, args: Json) -> Json:
        """Mails that left for addresses outside; `to` filters, `since` skips the first ones."""
        wanted = str(args.get("to") or "").lower()
        found = [m for m in self.world.outbox if not wanted or wanted in [r.lower() for r in m.recipients]]
        return {
            "mails": [
                {
                    "at": m.at,
                    "sender": m.sender,
                    "recipients": m.recipients,
                    "raw": base64.b64encode(m.raw).decode(),
                }
                for m in found[int(args.get("since") or 0) :]
            ]
        }

    def op_request_log(self, args: Json) -> Json:
        """Requests that match: method, mailbox, path_id (or id), form (or format), status; newest last."""
        method, mailbox = args.get("method"), str(args.get("mailbox") or "").lower()
        path_id = args.get("path_id") or args.get("id")
        form = args.get("form") or args.get("format")
        status, since = args.get("status"), float(args.get("since") or 0)
        found = [
            entry
            for entry in self.world.requests
            if (not method or entry.method in (method, f"gmail.users.{method}"))
            and (not mailbox or entry.mailbox.lower() == mailbox)
            and (not path_id or entry.path_id == path_id)
            and (not form or entry.form == form)
            and (not status or entry.status == int(status))
            and entry.at >= since
        ]
        if args.get("count"):
            return {
                "count": len(found),
                "units": sum(e.units for e in found if e.status != 429),
                "bytes": sum(e.bytes for e in found),
            }
        return {"requests": [dataclasses.asdict(entry) for entry in found]}

    def op_push_log(self, args: Json) -> Json:
        """Pushes as they left, with the endpoint's status (0: no answer)."""
        wanted = str(args.get("email") or "").lower()
        return {
            "pushes": [
                dataclasses.asdict(p) for p in self.world.pushes if not wanted or p.mailbox.lower() == wanted
            ]
        }

    def op_clear_log(self, args: Json) -> Json:
        """Empty the request and push logs."""
        self.world.requests.clear()
        self.world.pushes.clear()
        return {}

    def op_clear(self, args: Json) -> Json:
        """Forget all accounts, grants, mails, logs and faults; identities and switches stay."""
        world = self.world
        for state in (
            world.mailboxes,
            world.aliases,
            world.persons,
            world.outbox,
            world.requests,
            world.pushes,
            world.extensions,
        ):
            state.clear()
        world.grants = type(world.grants)()
        self.faults.active.clear()
        return {}

    def op_stats(self, args: Json) -> Json:
        """Counts."""
        world = self.world
        return {
            "mailboxes": len(world.mailboxes),
            "messages": sum(len(m.messages) for m in world.mailboxes.values()),
            "requests": len(world.requests),
            "units": sum(entry.units for entry in world.requests),
            "pushes": len(world.pushes),
            "outbox": len(world.outbox),
            "refresh_tokens": sum(1 for token in world.grants.refresh.values() if not token.dead),
        }
