"""An organisation with something on every page, written through the API.

Every operation that takes free text is used; what the texts are is the choice of the test.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx

from dashclaw.runtime.operations import Operation

from ...keys import ed25519_pem
from ..serving import Served
from .filling import Text, filled, texts_of

RUNS = 10
NOWHERE = "http://127.0.0.1:9/closed"
# They only look, or what they take is shown on no page: answers of the guard, tries, requests to send something again.
UNUSED = frozenset(
    {
        *("guard", "try_policies", "test_policies", "simulate_policies", "import_policies"),
        *("use_snippet", "mark_messages", "update_agent_schedule", "update_policy", "update_person", "create_org"),
        *(
            "update_chat_channel",
            "scan_prompt_injection",
            "update_org",
            "sync_state",
            "revoke_identity",
            "set_recommendation_active",
        ),
    }
)
_NUMBERS = count(1)


class Content:
    """What was written. `ids` has a thing of each kind by the name that paths of pages have for it."""

    def __init__(self, server: Served, admin: httpx.Client, agent: httpx.Client, text: Text) -> None:
        self._operations = {found.name: found for found in server.runtime.registry.operations}
        self._clients = {"admin": admin, "member": agent}
        self._text = text
        self.url = server.url
        self.used: set[str] = set()
        self.ids: dict[str, str] = {}
        self.agent_id = text(100)
        self.session_id = text(100)

    def send(self, name: str, /, *, key: str | None = None, path: dict[str, str] | None = None, **fixed: Any) -> Any:
        """Ask for an operation with every free text filled in, except what is `fixed`."""
        operation = self._operations[name]
        self.used.add(name)
        about = {"agent_id": self.agent_id, "session_id": self.session_id}
        known = {field for field, _ in texts_of(operation)}
        body = {
            **filled(operation, self._text),
            **{key: value for key, value in about.items() if key in known},
            **fixed,
        }
        place = operation.path.format(**{key: quote(value, safe="") for key, value in (path or {}).items()})
        client = self._clients["admin" if operation.role == "admin" else "member"]
        answer = client.request(operation.verb, place, json=body, headers={"x-api-key": key} if key else None)
        assert answer.status_code < 300, (
            f"{name} refused what tests/integration/web/content.py sent it: {answer.text[:400]} (a field that is no "
            "free text belongs into NO_TEXT of filling.py, or gets a value here)"
        )
        return answer.json()

    def ask(self, path: str, **query: str) -> Any:
        """What the API says to the administrator."""
        answer = self._clients["admin"].get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def address(self, path: str) -> str:
        """Where a page is, for the things of this organisation."""
        missing = set(re.findall(r"\{(\w+)\}", path)) - set(self.ids)
        assert not missing, f"{path}: give `ids` of tests/integration/web/content.py {missing.pop()!r}"
        return path.format(**{name: quote(found, safe="") for name, found in self.ids.items()})

    def waiting(self) -> Any:
        """A new action that waits for a person."""
        return self._act("ask")["action"]

    def ended(self) -> str:
        """The id of a new action that is over."""
        action_id: str = self._act("go")["action_id"]
        self.send("update_outcome", path={"action_id": action_id}, status="completed")
        return action_id

    def key(self, **fixed: Any) -> str:
        """A new key of a role."""
        [org] = self.ask("/api/orgs")["organizations"]
        made = self.send("create_key", path={"org_id": org["id"]}, **fixed)
        self.ids["key_id"] = made["key"]["id"]
        return str(made["api_key"]["key"])

    def name(self) -> str:
        """A name that nothing has."""
        return f"Thing {next(_NUMBERS)}"

    def email(self) -> str:
        """An address that nobody has."""
        return f"person{next(_NUMBERS)}@example.com"

    def public_key(self) -> str:
        """A key that no agent has."""
        return ed25519_pem(next(_NUMBERS))

    def pair(self) -> str:
        """The code of a new pairing, which pages about a pairing are about from now on."""
        made = self.send("create_pairing", public_key=self.public_key(), algorithm="Ed25519")
        self.ids["pairing_id"] = made["pairing"]["id"]
        return str(made["pairing"]["code"])

    def channel(self) -> dict[str, str]:
        """What a chat channel is made of, but for who answers there."""
        return {
            "name": self.name(),
            "platform": "slack",
            "target": "C024BE91L",
            "token": "xoxb-1-a",
            "secret": "s" * 32,
        }

    def write(self) -> None:
        """Everything there is to write."""
        self._policies()
        self._agents()
        self._actions()
        self._around_an_action()
        self._messages()
        self._context()
        self._reports()
        self._routing()
        self._identities()
        self._settings()
        self._learning()
        self.send("make_evidence_checkpoint")
        self.ids["framework"] = self.ask("/api/compliance/frameworks")["frameworks"][0]["id"]

    def _policies(self) -> None:
        rules = {"action_types": ["ask*"]}
        made = self.send("create_policy", policy_type="require_approval", rules=rules)["policy"]
        self.ids["policy_id"] = made["id"]
        [made] = self.ask("/api/activity", action="policy.updated", limit="1")["logs"]
        self.ids["change"] = made["id"].removeprefix("al_")
        self.send("create_policy", policy_type="block_action_type", rules={"action_types": ["stop*"]})
        self.send("create_policy", policy_type="risk_threshold", rules={"threshold": 60, "action": "warn"})

    def _agents(self) -> None:
        self.send("heartbeat", status="online")
        self.ids["agent_id"] = self.agent_id
        known = [{"provider": self._text(60), "auth_type": "oauth", "status": "error"}]
        self.send("report_connections", connections=known)
        made = self.send("create_agent_schedule", cron_expression="0 3 * * *")
        self.ids["schedule_id"] = made["schedule"]["schedule_id"]

    def _actions(self) -> None:
        change = {"tool": self._text(100), "old": self._text(300), "new": self._text(300)}
        operator = self.key(role="admin", operator=self._text(200))
        waiting = self._act("ask", metadata=change)
        self.ids["action_id"] = waiting["action_id"]
        self.ids["decision_id"] = waiting["decision"]["decision_id"]
        self.ids["session_id"] = self.session_id
        for decision in ("allow", "deny"):
            asked = self._act("ask", parent_action_id=waiting["action_id"])
            self.send("approve_action", path={"action_id": asked["action_id"]}, key=operator, decision=decision)
        for status in ("completed", "failed"):
            run = self._act("go", risk_score=70)
            self.send("update_outcome", path={"action_id": run["action_id"]}, status=status, duration_ms=900)
        refused = self._clients["member"].post("/api/actions", json=self._action("stop"))
        assert refused.status_code == 403, refused.text

    def _action(self, kind: str, **more: Any) -> dict[str, Any]:
        texts = filled(self._operations["create_action"], self._text)
        # An approval holds for what is asked for again.
        action_type = f"{kind} {next(_NUMBERS)} {self._text(100)}"
        own = {"agent_id": self.agent_id, "session_id": self.session_id, "action_type": action_type}
        return {**texts, **own, **more}

    def _act(self, kind: str, **more: Any) -> Any:
        return self.send("create_action", **self._action(kind, **more))

    def _around_an_action(self) -> None:
        action_id = self.ids["action_id"]
        made = self.send("register_assumption", action_id=action_id)
        self.ids["assumption_id"] = made["assumption_id"]
        judged = self.send("register_assumption", action_id=action_id)
        self.send("validate_assumption", path={"assumption_id": judged["assumption_id"]}, validated=False)
        self.send("register_open_loop", action_id=action_id, loop_type="question")
        closed = self.send("register_open_loop", action_id=action_id, loop_type="review")
        self.send("resolve_open_loop", path={"loop_id": closed["loop_id"]}, status="resolved")
        self.send("create_handoff")
        self.send("erase_evidence", action_id=self.ended())

    def _messages(self) -> None:
        made = self.send("create_message_thread", participants=[self.agent_id])["thread"]
        self.ids["thread_id"] = made["id"]
        data = base64.b64encode(self._text(500).encode()).decode()
        files = [{"filename": f"{self._text(60)}.txt", "mime_type": "text/plain", "data": data}]
        names: dict[str, Any] = {"from_agent_id": self.agent_id, "to_agent_id": self.agent_id}
        sent = self.send("send_message", **names, thread_id=made["id"], attachments=files)
        self.ids["attachment_id"] = sent["message"]["attachments"][0]["id"]
        self.send("send_message", **names)
        other = self.send("create_message_thread")["thread"]
        self.send("resolve_message_thread", thread_id=other["id"], status="resolved")
        self.send("save_shared_doc")

    def _context(self) -> None:
        self.send("capture_key_point")
        thread = self.send("create_thread")["thread"]["id"]
        self.send("add_thread_entry", path={"thread_id": thread})
        self.send("close_thread", path={"thread_id": thread})
        self.send("save_snippet")
        for kind in ("observation", "preference", "mood", "approach"):
            self.send("record_preference", type=kind)

    def _reports(self) -> None:
        for name in ("create_goal", "record_content", "record_idea", "record_interaction", "record_decision"):
            self.send(name)
        self.send("create_calendar_event", start_time="2026-01-01T12:00:00Z")
        self.send("report_memory_health", health={"score": 70, "note": self._text(200)})
        self.send("report_token_usage", tokens_in=1200, tokens_out=300)
        found = self.send("scan_content", text=f"The key is AKIA{'A' * 16}. {self._text(300)}", store=True)
        self.ids["finding_id"] = found["finding_id"]

    def _routing(self) -> None:
        self.send("register_routing_agent", capabilities=[])
        task = self.send("submit_routing_task", requiredSkills=[])
        self.ids["task_id"] = task["task"]["id"]
        self.send("complete_routing_task", path={"task_id": task["task"]["id"]}, success=False)

    def _identities(self) -> None:
        self.pair()
        self.send("approve_pairing", path={"pairing_id": self.ids["pairing_id"]}, replace=True, code=None)
        self.pair()
        self.send("deny_pairing", path={"pairing_id": self.ids["pairing_id"]})
        self.pair()
        made = self.send("register_identity", public_key=self.public_key(), algorithm="Ed25519", replace=True)
        self.ids["identity_id"] = made["identity"]["id"]

    def _settings(self) -> None:
        self.key(role="member")
        person = self.send("create_person", email=self.email(), role="admin")["person"]
        self.ids["person_id"] = person["id"]
        self._deciding()
        hook = self.send("create_webhook", url=NOWHERE)["webhook"]["id"]
        self.ids["webhook_id"] = hook
        self.send("test_webhook", path={"webhook_id": hook})
        [delivery, *_] = self.ask(f"/api/webhooks/{hook}/deliveries", status="failed")["deliveries"]
        self.ids["delivery_id"] = str(delivery["id"])

    def _deciding(self) -> None:
        """Where else people decide: in a chat, and by a link."""
        person = self.ids["person_id"]
        given = {**self.channel(), "name": self._text(100), "approvers": [{"user": "U1", "person": person}]}
        self.ids["channel_id"] = self.send("create_chat_channel", **given)["channel"]["id"]
        path = {"action_id": self.ids["action_id"]}
        made = self.send("create_decision_link", path=path, person=person)["link"]
        self.ids["token"] = made["path"].rpartition("/")[2]

    def _learning(self) -> None:
        kind = f"learn {self._text(60)}"
        for number in range(RUNS):
            run = self._act("learn", action_type=kind)
            status = "completed" if number % 4 else "failed"
            self.send("update_outcome", path={"action_id": run["action_id"]}, status=status, duration_ms=900)
        self.send("rebuild_recommendations", action_type=kind)
        [found, *_] = self.ask("/api/learning/recommendations", include_inactive="true")["recommendations"]
        self.ids["recommendation_id"] = found["id"]
        self.send("record_recommendation_events", event_type="overridden", recommendation_id=found["id"])


@contextmanager
def written(server: Served, admin_key: str, agent_key: str, text: Text) -> Iterator[Content]:
    """The organisation of two keys, with everything in it."""
    with (
        httpx.Client(base_url=server.url, headers={"x-api-key": admin_key}, timeout=60) as admin,
        httpx.Client(base_url=server.url, headers={"x-api-key": agent_key}, timeout=60) as agent,
    ):
        content = Content(server, admin, agent, text)
        content.write()
        yield content


def takes_text(operation: Operation) -> bool:
    """Whether somebody can write what they like with it."""
    return operation.writes and any(True for _ in texts_of(operation))
