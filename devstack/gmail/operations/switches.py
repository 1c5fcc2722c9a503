"""Control operations: identities, switches, clock, keys, faults."""

from __future__ import annotations

import dataclasses

from devstack.gmail.behaviour import AWKWARD, Behaviour, Client
from devstack.gmail.compose import as_list
from devstack.gmail.faults import Fault
from devstack.gmail.operations.base import Operations, Refused
from devstack.gmail.wire import Json


class SwitchOperations(Operations):
    """How the emulator behaves."""

    def op_health(self, args: Json) -> Json:
        """Whether it runs."""
        return {"ok": True}

    def op_configure(self, args: Json) -> Json:
        """Change identities: where pushes go, the topic, the OAuth clients, smtp_routes."""
        settings = self.world.settings
        for name in ("push_endpoint", "push_audience", "push_service_account", "topic", "subscription"):
            if name in args:
                setattr(settings, name, str(args[name] or ""))
        for client in args.get("clients") or []:
            self.world.add_client(Client(**client))
        if args.get("client_id"):
            client_id = str(args["client_id"])
            project = settings.topic.split("/")[1]
            self.world.add_client(
                Client(client_id, str(args.get("client_secret") or ""), args.get("project") or project)
            )
        for domain, target in (args.get("smtp_routes") or {}).items():
            host, _, port = str(target).rpartition(":")
            settings.smtp_routes[str(domain).lower()] = (host or "127.0.0.1", int(port))
        return {"topic": settings.topic, "push_endpoint": settings.push_endpoint}

    def op_behaviour(self, args: Json) -> Json:
        """Set switches by name; answers all of them."""
        known = {field.name: field.type for field in dataclasses.fields(Behaviour)}
        for name, value in args.items():
            if name not in known:
                raise Refused(f"no switch {name}")
            setattr(self.world.behaviour, name, value)
        if "seed" in args:
            self.world.random.seed(args["seed"])
        return dataclasses.asdict(self.world.behaviour)

    def op_reset_behaviour(self, args: Json) -> Json:
        """All switches back to their defaults, no faults."""
        self.faults.active.clear()
        return self.op_behaviour(dataclasses.asdict(Behaviour()))

    def op_awkward(self, args: Json) -> Json:
        """Turn on all that real Gmail may do; `except` names switches to leave alone."""
        left = set(as_list(args.get("except")))
        return self.op_behaviour({name: value for name, value in AWKWARD.items() if name not in left})

    def op_clock(self, args: Json) -> Json:
        """Move the clock: `offset` seconds from real time, or `advance` by seconds."""
        clock = self.world.clock
        clock.offset = (
            float(args["offset"]) if "offset" in args else clock.offset + float(args.get("advance", 0))
        )
        return {"now": clock.now(), "offset": clock.offset}

    def op_rotate_keys(self, args: Json) -> Json:
        """Sign with a new key; `keep_old` (default true) keeps the former one published."""
        self.world.keys.rotate(keep_old=bool(args.get("keep_old", True)))
        return {"kids": [key.kid for key in self.world.keys.keys]}

    def op_fault(self, args: Json) -> Json:
        """Add a fault; see `faults.Fault` for its fields."""
        self.faults.active.append(Fault(**args))
        return {"active": len(self.faults.active)}

    def op_faults(self, args: Json) -> Json:
        """The faults and how often each struck."""
        return {"faults": [{"method": f.method, "struck": f.struck} for f in self.faults.active]}

    def op_clear_faults(self, args: Json) -> Json:
        """No faults any more."""
        self.faults.active.clear()
        return {}
