"""The names of events: a family, and what happened."""

from __future__ import annotations

import re

_NAME = re.compile(r"([a-z_]+)\.[a-z_]+(?:\.[a-z_]+)?")
_RECORD = ("created", "updated", "deleted")
_HAPPENS: dict[str, tuple[str, ...]] = {
    "action": ("created", "updated"),
    "agent": ("heartbeat",),
    "approach": _RECORD,
    "assumption": ("created", "updated"),
    "calendar_event": _RECORD,
    "chat": ("channel.created", "channel.updated", "channel.deleted", "refused"),
    "compliance": ("snapshot.created",),
    "connection": _RECORD,
    "content": _RECORD,
    "context_entry": _RECORD,
    "context_thread": _RECORD,
    "decision": _RECORD,
    "decision_link": ("created",),
    "evidence": ("key.created", "key.rotated", "erased", "pruned"),
    "goal": _RECORD,
    "guard": ("decision.created", "decision.erased"),
    "handoff": _RECORD,
    "idea": _RECORD,
    "identity": ("created", "updated", "replaced", "revoked"),
    "interaction": _RECORD,
    "key": ("created", "revoked"),
    "key_point": _RECORD,
    "loop": ("created", "updated"),
    "memory_report": _RECORD,
    "message": ("created", "read", "archived"),
    "message_thread": ("created", "updated", "resolved"),
    "mood": _RECORD,
    "observation": _RECORD,
    "operator": ("signed_in", "signed_out"),
    "org": ("created", "updated"),
    "pairing": ("created", "updated"),
    "person": ("created", "updated", "disabled"),
    "policy": ("updated", "tested"),
    "preference": _RECORD,
    "recommendation": ("updated", "events_recorded"),
    "recommendations": ("rebuilt",),
    "routing": ("agent.created", "agent.updated", "agent.deleted", "message.failed"),
    "schedule": ("created", "updated", "deleted", "due", "missed"),
    "security": ("finding.created",),
    "shared_doc": ("saved",),
    "signal": ("detected",),
    "signature": ("verified", "refused"),
    "snippet": _RECORD,
    "state": ("synced",),
    "task": ("created", "assigned", "completed", "requeued", "escalated"),
    "token": ("usage",),
    "webhook": ("created", "updated", "deleted", "disabled", "resent", "tested"),
}
FAMILIES = frozenset(_HAPPENS)
EVENTS = frozenset(f"{family}.{what}" for family, happens in _HAPPENS.items() for what in happens)


def family_of(name: str) -> str | None:
    """The family of a name that an event may have; None for one that no event has."""
    found = _NAME.fullmatch(name)
    return found[1] if found is not None and found[1] in FAMILIES else None
