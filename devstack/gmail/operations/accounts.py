"""Control operations: accounts, their addresses and their grants."""

from __future__ import annotations

from urllib.parse import urlsplit

from devstack.gmail.compose import as_list
from devstack.gmail.grants import REVOKED
from devstack.gmail.mailbox import SendAs
from devstack.gmail.methods import AUTH, FULL
from devstack.gmail.oauth import consent_query
from devstack.gmail.operations.base import Operations, Refused
from devstack.gmail.wire import Json

GMAIL_SCOPES = (FULL, AUTH + "gmail.")


class AccountOperations(Operations):
    """Who exists, and what they allow."""

    def op_create_mailbox(self, args: Json) -> Json:
        """Open an account: email, password?, name?, aliases?, history_start?."""
        aliases = tuple(as_list(args.get("aliases")))
        mailbox = self.world.create_mailbox(
            str(args["email"]),
            str(args.get("name") or ""),
            str(args.get("password") or ""),
            aliases,
            int(args.get("history_start") or 0),
        )
        return {"email": mailbox.email, "sub": mailbox.sub, "history_id": str(mailbox.history.current)}

    def op_mail_service(self, args: Json) -> Json:
        """Turn the account's Gmail off or on: `enabled`."""
        mailbox = self._mailbox(args)
        mailbox.mail_enabled = bool(args.get("enabled", True))
        return {"enabled": mailbox.mail_enabled}

    def op_send_as(self, args: Json) -> Json:
        """Add or change an address that the user may write as: address, verified?, name?, receives?, default?."""
        mailbox = self._mailbox(args)
        address = str(args["address"])
        self.world.add_alias(
            mailbox,
            address,
            verified=bool(args.get("verified", True)),
            receives=bool(args.get("receives", True)),
        )
        entry: SendAs = mailbox.send_as[address.lower()]
        entry.name = str(args.get("name") or entry.name)
        if args.get("default"):
            for other in mailbox.send_as.values():
                other.default = other is entry
        return {"addresses": list(mailbox.send_as)}

    def op_change_password(self, args: Json) -> Json:
        """A new password ends every grant with Gmail scopes."""
        mailbox = self._mailbox(args)
        mailbox.password = str(args.get("password") or "changed")
        grants, now = self.world.grants, self.world.clock.now()
        works = self.world.behaviour.revoked_access_token_works_s
        projects = {
            token.project
            for token in grants.refresh.values()
            if token.email == mailbox.email and any(scope.startswith(GMAIL_SCOPES) for scope in token.scopes)
        }
        died = sum(grants.kill(mailbox.email, project, now, access_works_s=works) for project in projects)
        return {"tokens_ended": died}

    def op_revoke_grant(self, args: Json) -> Json:
        """The user removes the app; `why` gives another token error, `subtype` a re-auth one."""
        mailbox = self._mailbox(args)
        works = self.world.behaviour.revoked_access_token_works_s
        if args.get("subtype"):
            tokens = [t for t in self.world.grants.refresh.values() if t.email == mailbox.email]
            for token in tokens:
                token.subtype = str(args["subtype"])
            return {"tokens_ended": len(tokens)}
        died = self.world.grants.kill(
            mailbox.email,
            args.get("project"),
            self.world.clock.now(),
            why=str(args.get("why") or REVOKED),
            access_works_s=works,
        )
        return {"tokens_ended": died}

    def op_expire_access_tokens(self, args: Json) -> Json:
        """End all access tokens (of one mailbox), refresh tokens stay."""
        email = self._mailbox(args).email if args.get("email") else None
        now = self.world.clock.now()
        for access in self.world.grants.access.values():
            if email in (None, access.email):
                access.dead_at = access.dead_at or now
        return {}

    def op_token(self, args: Json) -> Json:
        """An access token for a mailbox without the consent flow: `scopes`."""
        mailbox = self._mailbox(args)
        client = next(iter(self.world.settings.clients.values()))
        scopes = tuple(as_list(args.get("scopes")) or [FULL])
        expires = self.world.clock.now() + float(args.get("expires_in") or 3599)
        return {
            "access_token": self.world.grants.new_access(
                mailbox.email, client.id, client.project, scopes, expires
            )
        }

    def op_consent(self, args: Json) -> Json:
        """Go through the consent page: authorization_url, email, scopes? (those ticked), deny?, lasts_s?."""
        url = str(args["authorization_url"])
        query = consent_query(url)
        problem = self.oauth.check_request(query)
        if problem is not None:
            raise Refused(f"the consent page shows an error: {problem.body[:2000].decode()}")
        if args.get("deny"):
            return {"redirect": self.oauth.deny(query)}
        ticked = args.get("scopes")
        chosen = None if ticked is None else as_list(ticked)
        redirect = self.oauth.grant(
            query, self._mailbox(args), chosen, lasts_s=float(args.get("lasts_s") or 0)
        )
        return {"redirect": redirect, "path": urlsplit(redirect).path}
