"""Settings: people, keys, the organisation and its kill switch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from ..serving import Served, served
from .people import People, code_in
from .support import text_of

PAYLOAD = '"><img src=x onerror=alert(1)>{{7*7}}'
KEY = re.compile(r"oc_live_[0-9a-f]{32}")


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[People]:
    """People in front of a server whose settings a test may change."""
    with served(str(tmp_path / "dashclaw.db")) as site, closing(People(site)) as found:
        yield found


def decision(site: Served) -> str:
    body = {"action_type": "research", "agent_id": "agent-1"}
    answer = httpx.post(f"{site.url}/api/guard", json=body, headers={"x-api-key": site.agent_key})
    found: str = answer.json()["decision"]
    return found


def test_the_kill_switch_takes_the_typed_name_and_stops_everything(crowd: People) -> None:
    admin = crowd.operator()
    refused = admin.send("/settings", "/settings/kill-switch", typed="yes")
    assert (refused.status_code, "type default to confirm" in refused.text, decision(crowd.server)) == (
        400,
        True,
        "allow",
    )
    assert "every action is blocked" in admin.after(admin.send("/settings", "/settings/kill-switch", typed="default"))
    assert decision(crowd.server) == "block"
    assert "The kill switch is off" in admin.after(admin.send("/settings", "/settings/kill-switch", typed="default"))
    assert decision(crowd.server) == "allow"


def test_a_setting_changes_alone_and_only_as_it_was_seen(crowd: People) -> None:
    admin = crowd.operator()
    fields = {
        "name": "Shop",
        "self_approval": "false",
        "guard_degradation": "block",
        "signatures": "optional",
        "signature_form": "compatible",
        "approval_seconds": "900",
    }
    assert "in force" in admin.after(admin.send("/settings", "/settings", **fields))
    headers = {"x-api-key": crowd.server.admin_key}
    [org] = httpx.get(f"{crowd.server.url}/api/orgs", headers=headers).json()["organizations"]
    assert (org["name"], org["settings"]) == ("Shop", {"guard_degradation": "block", "approval_seconds": 900})
    assert "Nothing was different" in admin.after(admin.send("/settings", "/settings", **fields))
    stale = admin.send("/settings", "/settings", **{**fields, "name": "Other", "updated_at": org["created_at"]})
    assert (stale.status_code, "changed at" in text_of(stale)) == (409, True)
    wrong = admin.send("/settings", "/settings", **{**fields, "approval_seconds": "1"})
    assert (wrong.status_code, "approval_seconds" in text_of(wrong)) == (400, True)


def test_a_key_is_shown_once_and_revoked_with_its_session(crowd: People) -> None:
    admin = crowd.operator()
    made = admin.send("/settings/keys", "/settings/keys", label="laptop", role="admin", operator="ana@example.com")
    found = KEY.search(made.text)
    assert found
    raw = found[0]
    listed = admin.get("/settings/keys")
    assert raw not in listed.text
    assert "ana@example.com" in text_of(listed)
    other = crowd.visitor()
    assert other.sign_in(raw).status_code == 303
    [path] = [
        path
        for path in re.findall(r'action="(/settings/keys/[^"]+/revoke)"', listed.text)
        if _is(crowd.server, path, raw)
    ]
    assert "Revoked laptop" in admin.after(admin.send("/settings/keys", path))
    assert not other.is_in()
    wrong = admin.send("/settings/keys", "/settings/keys", role="member", approver_roles="Not-A-Role!")
    assert (wrong.status_code, "no group of approvers" in text_of(wrong)) == (400, True)


def _is(site: Served, path: str, raw: str) -> bool:
    from dashclaw.runtime.keys import caller_for_key

    with site.runtime.store.read() as tx:
        caller = caller_for_key(tx, raw)
    return caller is not None and caller.actor_id in path


def test_the_last_admin_key_stays_and_the_page_says_why(crowd: People) -> None:
    admin = crowd.operator()
    paths = re.findall(r'action="(/settings/keys/[^"]+/revoke)"', admin.get("/settings/keys").text)
    [path] = [path for path in paths if _is(crowd.server, path, crowd.server.admin_key)]
    refused = admin.send("/settings/keys", path)
    assert (refused.status_code, "last admin key" in text_of(refused)) == (409, True)


def test_a_person_is_found_changed_and_only_as_seen(crowd: People) -> None:
    crowd.joined("ana@example.com")
    crowd.joined("ben@example.com")
    admin = crowd.operator()
    assert "ben@example.com" not in text_of(admin.get("/settings/people?email=ANA@example.com"))
    path = f"/settings/people/{crowd.id_of('ana@example.com')}"
    fields = {"name": "Finance Desk", "role": "member", "approver_roles": "security, finance"}
    page = admin.after(admin.send(path, path, **fields))
    assert "Saved ana@example.com" in page
    assert "member, finance, security" in text_of(admin.get("/settings/people"))
    stale = admin.send(path, path, **{**fields, "updated_at": "2020"})
    assert (stale.status_code, "look at it again" in text_of(stale)) == (409, True)
    taken = admin.send("/settings/people", "/settings/people", email="ana@example.com", role="member")
    assert (taken.status_code, "is there already" in text_of(taken)) == (409, True)


def test_an_administrator_cannot_end_their_own_account(crowd: People) -> None:
    ana = crowd.joined("ana@example.com", role="admin")
    path = f"/settings/people/{crowd.id_of('ana@example.com')}"
    text = ana.get(path).text
    assert f"{path}/disable" not in text
    assert "Another administrator" in text
    token = ana.token(path)
    assert ana.http.post(f"{path}/disable", data={"csrf": token}).status_code == 409
    assert ana.is_in()


def test_who_is_no_administrator_sees_no_settings(crowd: People) -> None:
    ana = crowd.joined("ana@example.com")
    for path in ("/settings/people", "/settings/keys"):
        assert ana.get(path).status_code == 403
    token = ana.token("/account")
    for path in ("/settings", "/settings/people", "/settings/keys", "/settings/kill-switch"):
        assert ana.http.post(path, data={"csrf": token, "email": "eve@example.com"}).status_code == 403


def test_what_people_are_called_is_shown_as_text(crowd: People) -> None:
    admin = crowd.operator()
    made = admin.send("/settings/people", "/settings/people", email="eve@example.com", role="member", name=PAYLOAD)
    code_in(made)
    admin.send("/settings/keys", "/settings/keys", label=PAYLOAD, role="member", operator=PAYLOAD)
    person = f"/settings/people/{crowd.id_of('eve@example.com')}"
    for path in ("/settings/people", person, "/settings/keys"):
        text = admin.get(path).text
        assert "<img" not in text
        assert "onerror=alert(1)&gt;{{7*7}}" in text


def test_retention_says_what_is_kept_for_how_long(crowd: People) -> None:
    text = text_of(crowd.operator().get("/settings/retention"))
    assert "DASHCLAW_DECISION_DAYS" in text
    assert "for ever" in text
    assert "30 days" in text
