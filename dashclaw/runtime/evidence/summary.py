"""What a person wants to know of many entries, gathered on the way past them. Memory does not grow with the chain."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

MOST_ROWS = 100
MOST_NAMES = 1000
_SEQ, _AT, _EVENT, _ACTOR, _AGENT = 0, 7, 8, 10, 11
_DECIDED = frozenset({"approved", "denied"})


class Summary:
    """Counts of everything, and the newest hundred of what matters most; lists are in the order of entries."""

    def __init__(self) -> None:
        self.first_at = self.last_at = ""
        self.entries = self.erased = self.pruned = self.unreadable = 0
        self.events: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.action_types: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.policy_sets: Counter[str] = Counter()
        self.newest_set: str | None = None
        self.answers: Counter[str] = Counter()
        self.approvals: deque[dict[str, Any]] = deque(maxlen=MOST_ROWS)
        self.blocked: deque[dict[str, Any]] = deque(maxlen=MOST_ROWS)
        self.removals: deque[dict[str, Any]] = deque(maxlen=MOST_ROWS)
        self.policy_changes: deque[dict[str, Any]] = deque(maxlen=MOST_ROWS)
        self.checkpoints: deque[dict[str, Any]] = deque(maxlen=MOST_ROWS)
        self.checkpoint_count = 0
        self.sets: dict[str, str] = {}
        self.policies: dict[str, str] = {}

    def add(self, entry: tuple[Any, ...], record: str | None, data: str | None) -> None:
        """Take an entry as `store.evidence.entries` returns it, its record, and its data unless that was removed."""
        self.entries += 1
        if entry[_EVENT] is not None:
            name, at = entry[_EVENT], entry[_AT]
        else:
            _, _, at, name, *_ = json.loads(record) if record else (0, 0, "", "unknown")
        self.events[name] += 1
        self.first_at = self.first_at or at
        self.last_at = at
        if data is None:
            if entry[_EVENT] is None:
                self.pruned += 1
            else:
                self.erased += 1
            return
        try:
            self._meaning(entry, name, data)
        except (ValueError, TypeError, LookupError, AttributeError):
            # Somebody changed it. An export has it as it is, so that the auditor's script finds it.
            self.unreadable += 1

    def _meaning(self, entry: tuple[Any, ...], name: str, data: str) -> None:
        if name == "guard.decision.created":
            self._decision(entry, json.loads(data))
        elif name in ("action.created", "action.updated"):
            self._action(entry, json.loads(data))
        elif name == "policy.updated":
            self._policy_change(entry, json.loads(data))
        elif name in ("evidence.erased", "evidence.pruned"):
            self._removal(entry, json.loads(data))

    def _decision(self, entry: tuple[Any, ...], data: Mapping[str, Any]) -> None:
        _count(self.decisions, str(data["decision"]))
        _count(self.action_types, str(data["action_type"]))
        _count(self.agents, entry[_AGENT] or "unknown")
        self.newest_set = str(data.get("policy_set"))
        _count(self.policy_sets, self.newest_set)
        if data["decision"] == "block":
            told = {name: data.get(name) for name in ("action_type", "risk_score", "decision_id")}
            self.blocked.append({**_place(entry), "agent": entry[_AGENT], **told})

    def _action(self, entry: tuple[Any, ...], data: Mapping[str, Any]) -> None:
        approval = data.get("approval") or {}
        votes = approval.get("votes") or [{}]
        vote = votes[-1]
        decided = approval.get("status") in _DECIDED and approval.get("at") == entry[_AT]
        if not decided and vote.get("at") != entry[_AT]:
            return
        answer = approval["status"] if decided else "vote"
        self.answers[answer] += 1
        self.approvals.append(
            {
                **_place(entry),
                "answer": answer,
                "by": vote.get("name") or approval.get("by") or vote.get("by"),
                "from": ", ".join(str(part) for part in (vote.get("from") or {}).values()),
                "reason": vote.get("reason") or approval.get("reason"),
                "agent": data.get("agent_id"),
                "action_id": data.get("action_id"),
                "action_type": data.get("action_type"),
                "goal": data.get("declared_goal"),
            }
        )

    def _policy_change(self, entry: tuple[Any, ...], data: Mapping[str, Any]) -> None:
        policy = data.get("policy") or {}
        told = {"change": data.get("change"), "name": policy.get("name"), "type": str(policy.get("policy_type"))}
        self.policy_changes.append({**_place(entry), "by": entry[_ACTOR], **told})

    def _removal(self, entry: tuple[Any, ...], data: Mapping[str, Any]) -> None:
        spans = data.get("entries") or []
        self.removals.append(
            {
                **_place(entry),
                "what": "erased" if entry[_EVENT] == "evidence.erased" else "expired",
                "by": entry[_ACTOR],
                "reason": data.get("reason"),
                "entries": sum(last - first + 1 for first, last in spans),
                "spans": ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in islice(spans, 10)),
            }
        )

    def checkpoint(self, row: Mapping[str, Any]) -> None:
        """Take a checkpoint of the bundle."""
        self.checkpoint_count += 1
        root = str(_object(row["text"]).get("root"))
        self.checkpoints.append({"size": row["size"], "at": row["created_at"], "key": row["key_id"], "root": root})

    def policy(self, kind: str, name: str, document: str) -> None:
        """Take the text of a policy or of a set of policies."""
        (self.sets if kind == "set" else self.policies)[name] = document

    def sets_used(self) -> Iterator[dict[str, Any]]:
        """The sets of policies that decided most, with their policies: `{hash, decisions, settings, policies}`."""
        for name, count in self.policy_sets.most_common(10):
            document = _object(self.sets.get(name, ""))
            texts = [self.policies[found] for found in document.get("policies", ()) if found in self.policies]
            policies = [_policy(_object(text)) for text in texts]
            yield {
                "hash": name,
                "decisions": count,
                "newest": name == self.newest_set,
                "settings": document.get("settings", {}),
                "policies": sorted(policies, key=lambda policy: policy["name"]),
            }

    def counts(self) -> dict[str, Any]:
        """The numbers for the manifest."""
        return {
            "entries": self.entries,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "erased": self.erased,
            "pruned": self.pruned,
            "unreadable": self.unreadable,
            "checkpoints": self.checkpoint_count,
            "policies": len(self.policies),
            "policy_sets": len(self.sets),
            "events": dict(sorted(self.events.items())),
            "decisions": dict(sorted(self.decisions.items())),
            "approvals": dict(sorted(self.answers.items())),
        }


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a text; an empty one when somebody made something else of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _policy(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": str(found.get("name")), "type": str(found.get("policy_type")), "rules": found.get("rules")}


def _place(entry: tuple[Any, ...]) -> dict[str, Any]:
    return {"seq": entry[_SEQ], "at": entry[_AT]}


def _count(counter: Counter[str], name: str) -> None:
    # Names come from agents: there may be any number of them.
    counter[name if name in counter or len(counter) < MOST_NAMES else "(others)"] += 1
