"""What each form of the dashboard sends when somebody fills it in, and which role it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dashclaw.runtime.identity import Role
from dashclaw.server.web.routes import Page

from .content import NOWHERE, Content

PASSWORD = "correct horse battery"
POLICY = {"policy_type": "block_action_type", "rules": "action_types: [never]", "active": "on"}


class Form(NamedTuple):
    """`role` is the least that may send it; None where everybody may. `tells` says that it leaves an event."""

    role: Role | None
    fields: Callable[[Content], Mapping[str, str]] = lambda _: {}
    tells: bool = True


def form_of(page: Page) -> Form:
    """The form of a page that takes one."""
    assert page.path in FORMS, f"POST {page.path} has no form in FORMS of tests/integration/web/forms.py: add one"
    return FORMS[page.path]


def _decision(content: Content) -> dict[str, str]:
    action = content.waiting()
    return {"action_id": action["action_id"], "seen": action["updated_at"], "decision": "allow"}


def _several(content: Content) -> dict[str, str]:
    action = content.waiting()
    return {"action-0": action["action_id"], "seen-0": action["updated_at"], "pick-0": "on", "decision": "allow"}


def _erasure(content: Content) -> dict[str, str]:
    return {"typed": "erase", "action_id": content.ended(), "reason": "A person asked for it"}


def _person(content: Content) -> dict[str, str]:
    person = content.ask(f"/api/people/{content.ids['person_id']}")["person"]
    return {"name": "Another name", "role": "member", "updated_at": person["updated_at"]}


def _policy(content: Content) -> str:
    return str(content.ask(f"/api/policies/{content.ids['policy_id']}")["policy"]["updated_at"])


def _draft(content: Content) -> dict[str, str]:
    return {**POLICY, "name": content.name()}


def _org(content: Content) -> dict[str, str]:
    [org] = content.ask("/api/orgs")["organizations"]
    return {"updated_at": org["updated_at"], "typed": org["slug"]}


def _resumed(content: Content) -> dict[str, str]:
    """A webhook sends nothing again while it is paused."""
    content.send("update_webhook", path={"webhook_id": content.ids["webhook_id"]}, active=True)
    return {}


def _link(content: Content) -> dict[str, str]:
    return {"person": content.ids["person_id"], "hours": "1"}


def _identity(content: Content) -> dict[str, str]:
    return {"agent_id": content.name(), "public_key": content.public_key(), "algorithm": "Ed25519"}


def _pairing(content: Content) -> dict[str, str]:
    """What both answers to a pairing need; each takes a new one, since it can be answered once."""
    return {"code": content.pair(), "reason": "Compared by telephone", "replace": "on"}


def _fixed(**fields: str) -> Callable[[Content], Mapping[str, str]]:
    return lambda _: fields


CHANNEL = {"target": "C024BE91L", "approvers": ""}
SCHEDULE = {"agent_id": "nightly", "name": "Tidy", "cron_expression": "0 3 * * *", "timezone": "UTC"}
ACTION = {"action_type": "deploy", "declared_goal": "Try it"}
FORMS: Mapping[str, Form] = {
    "/": Form("admin"),
    "/account/password": Form(None, _fixed(current=PASSWORD, password=PASSWORD, again=PASSWORD), tells=False),
    "/approvals": Form("admin", _decision),
    "/approvals/{action_id}/link": Form("admin", _link),
    "/approvals/several/review": Form("admin", _several),
    "/decide": Form(None, lambda content: {"token": content.ids["token"], "decision": "allow"}),
    "/evidence/cancel": Form("admin", tells=False),
    "/evidence/checkpoint": Form("admin", tells=False),
    "/evidence/erase": Form("admin", _erasure),
    "/evidence/export": Form("admin", tells=False),
    "/evidence/export/cancel": Form("admin", tells=False),
    "/evidence/export/download": Form("admin", tells=False),
    "/evidence/verify": Form("admin", tells=False),
    "/identities": Form("admin", _identity),
    "/identities/{identity_id}/revoke": Form("admin", _fixed(reason="The laptop was lost")),
    "/invitation": Form(None, _fixed(code="none", password=PASSWORD, again=PASSWORD), tells=False),
    "/learning/assumptions/{assumption_id}": Form("member", _fixed(verdict="holds")),
    "/learning/rebuild": Form("admin"),
    "/learning/recommendations/{recommendation_id}": Form("admin", _fixed(active="off")),
    "/messages/new": Form("member", _fixed(to_agent_id="deployer", body="Wait", message_type="action")),
    "/messages/threads/{thread_id}": Form("member", _fixed(status="resolved", summary="Done")),
    "/pair/{pairing_id}/approve": Form("admin", _pairing),
    "/pair/{pairing_id}/deny": Form("admin", _pairing),
    "/policies/check": Form("admin", _draft, tells=False),
    "/policies/history/{change}/restore": Form("admin", lambda content: {"updated_at": _policy(content)}),
    "/policies/new": Form("admin", _draft),
    "/policies/packs": Form("admin", _fixed(pack="enterprise-strict", step="import")),
    "/policies/simulate": Form("admin", _fixed(pack="enterprise-strict", since="7d"), tells=False),
    "/policies/simulate/cancel": Form(None, tells=False),
    "/policies/test": Form("member", _fixed(**ACTION), tells=False),
    "/policies/{policy_id}/delete": Form("admin"),
    "/policies/{policy_id}/edit": Form("admin", lambda content: {**_draft(content), "updated_at": _policy(content)}),
    "/policies/{policy_id}/switch": Form("admin", lambda content: {"updated_at": _policy(content)}),
    "/schedules": Form("member", _fixed(**SCHEDULE)),
    "/schedules/{schedule_id}": Form("member", _fixed(enabled="off")),
    "/schedules/{schedule_id}/remove": Form("member"),
    "/settings": Form("admin", lambda content: {"name": "Another name", **_org(content)}),
    "/settings/chat": Form("admin", lambda content: {**CHANNEL, **content.channel()}),
    "/settings/chat/{channel_id}": Form("admin", _fixed(name="Another name", **CHANNEL)),
    "/settings/chat/{channel_id}/remove": Form("admin"),
    "/settings/chat/{channel_id}/switch": Form("admin", _fixed(active="off")),
    "/settings/chat/{channel_id}/test": Form("admin", tells=False),
    "/settings/keys": Form("admin", _fixed(label="new", role="member")),
    "/settings/keys/{key_id}/revoke": Form("admin"),
    "/settings/kill-switch": Form("admin", lambda content: {"kill_switch": "true", **_org(content)}),
    "/settings/people": Form("admin", lambda content: {"email": content.email(), "role": "member"}),
    "/settings/people/{person_id}": Form("admin", _person),
    "/settings/people/{person_id}/disable": Form("admin"),
    "/settings/people/{person_id}/enable": Form("admin"),
    "/settings/people/{person_id}/invitation": Form("admin"),
    "/sign-in": Form(None, _fixed(key="oc_live_none"), tells=False),
    "/sign-in/password": Form(None, _fixed(email="nobody@example.com", password=PASSWORD), tells=False),
    "/sign-out": Form(None),
    "/theme": Form(None, _fixed(theme="dark"), tells=False),
    "/webhooks": Form("admin", _fixed(url=NOWHERE)),
    "/webhooks/{webhook_id}": Form("admin", _fixed(active="off")),
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/resend": Form("admin", _resumed),
    "/webhooks/{webhook_id}/remove": Form("admin"),
    "/webhooks/{webhook_id}/test": Form("admin"),
}
