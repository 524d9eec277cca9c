"""People of an organisation: added, changed, disabled, and told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from dashclaw.runtime import sign_in
from dashclaw.runtime.evidence.findings import Findings
from dashclaw.runtime.evidence.live import compare_rows
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.people import caller_for_person
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.store import web_sessions
from dashclaw.runtime.store.tables import events, people

from .conftest import ADMIN, AGENT, World

PASSWORD = "correct horse battery"
OTHER = "another long enough phrase"


def added(world: World, email: str = "ana@example.com", **fields: Any) -> dict[str, Any]:
    status, answer = world.ask("POST", "/api/people", {"email": email, **fields}, caller=ADMIN)
    assert status == 201, answer
    found: dict[str, Any] = answer
    return found


def joined(world: World, email: str = "ana@example.com", **fields: Any) -> Caller:
    """A person who has chosen a password."""
    return sign_in.by_code(world.runtime.store, added(world, email, **fields)["invitation"]["code"], PASSWORD)


def signed_in(world: World, person: Caller) -> str:
    """The id of a session of a person."""
    row = {
        "id": f"ses_{world.clock()}",
        "org_id": person.org_id,
        "token_hash": str(world.clock()),
        "subject_type": person.actor_type,
        "subject_id": person.actor_id,
        "created_at": "2026",
        "seen_at": "2026",
        "rotated_at": "2026",
    }
    with world.runtime.store.write(person.org_id) as tx:
        web_sessions.insert(tx, row)
    return row["id"]


def sessions(world: World, person: Caller) -> list[str]:
    with world.runtime.store.read() as tx:
        return [row["id"] for row in web_sessions.of_subject(tx, person.org_id, person.actor_id)]


def refusal(call: Any, *arguments: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value


def told(world: World) -> list[tuple[str, Any]]:
    with world.runtime.store.read() as tx:
        rows = tx.all(select(events).where(events.c.resource_type == "person").order_by(events.c.id))
    return [(row["event"], json.loads(row["data"])) for row in rows]


def test_a_person_is_invited_chooses_a_password_and_signs_in(world: World) -> None:
    answer = added(world, "Ana@Example.com", name="Finance Desk", role="member", approver_roles=["security", "finance"])
    person, invitation = answer["person"], answer["invitation"]
    assert (person["status"], person["has_password"], person["invited_until"]) == (
        "invited",
        False,
        invitation["expires_at"],
    )
    assert invitation["path"] == "/invitation"
    store = world.runtime.store
    assert sign_in.by_password(store, "ana@example.com", PASSWORD) is None
    caller = sign_in.by_code(store, invitation["code"], PASSWORD)
    assert caller == Caller(
        "org_default",
        person["id"],
        "member",
        "user",
        label="Finance Desk",
        operator="Ana@Example.com",
        approver_roles=("finance", "security"),
    )
    assert sign_in.by_password(store, " ANA@example.com ", PASSWORD) == caller
    assert sign_in.by_password(store, "ana@example.com", PASSWORD + "!") is None
    assert sign_in.by_password(store, "eve@example.com", PASSWORD) is None
    _, shown = world.ask("GET", f"/api/people/{person['id']}", caller=ADMIN)
    assert (shown["person"]["status"], shown["person"]["invited_until"]) == ("active", None)
    assert shown["person"]["last_seen_at"] > person["created_at"]
    own = world.ask("GET", "/api/people/me", caller=caller)[1]
    assert (own["person"], own["caller"]["operator"]) == (shown["person"], "Ana@Example.com")
    assert world.ask("GET", "/api/people/me")[1]["person"] is None


def test_a_code_works_once_and_for_three_days(world: World) -> None:
    store = world.runtime.store
    first = added(world)
    path = f"/api/people/{first['person']['id']}/invitation"
    second = world.ask("POST", path, caller=ADMIN)[1]["invitation"]["code"]
    assert refusal(sign_in.by_code, store, first["invitation"]["code"], PASSWORD).status == 410, "replaced"
    assert refusal(sign_in.by_code, store, second, "short").fields[0]["field"] == "password"
    sign_in.by_code(store, second, PASSWORD)
    assert refusal(sign_in.by_code, store, second, OTHER).code == "INVITATION_EXPIRED"
    third = world.ask("POST", path, caller=ADMIN)[1]["invitation"]["code"]
    assert sign_in.by_password(store, "ana@example.com", PASSWORD), "the old password is good until there is another"
    world.clock.move(hours=72)
    assert refusal(sign_in.by_code, store, third, OTHER).status == 410
    assert world.ask("GET", "/api/people", caller=ADMIN)[1]["people"][0]["invited_until"] is None


def test_nothing_secret_is_answered_or_told(world: World) -> None:
    person = joined(world)
    code = world.ask("POST", f"/api/people/{person.actor_id}/invitation", caller=ADMIN)[1]["invitation"]["code"]
    with world.runtime.store.read() as tx:
        row = tx.one(select(people))
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    _, listed = world.ask("GET", "/api/people", caller=ADMIN)
    said = json.dumps([told(world), listed, world.ask("GET", "/api/people/me", caller=person)[1]])
    for secret in (PASSWORD, code, row["password_hash"], row["invitation_hash"]):
        assert secret not in said
    assert [name for name, _ in told(world)] == ["person.created", "person.updated", "person.updated"]
    assert [data.get("change") for _, data in told(world)] == [None, "password", "invited"]


def test_an_e_mail_address_is_one_person_in_the_whole_installation(world: World) -> None:
    added(world)
    for email in ("ana@example.com", "ANA@EXAMPLE.COM", " Ana@example.com "):
        status, answer = world.ask("POST", "/api/people", {"email": email}, caller=ADMIN)
        assert (status, answer["code"]) == (409, "EMAIL_TAKEN")
    other = world.ask("POST", "/api/orgs", {"name": "B", "slug": "b"}, caller=ADMIN)[1]
    stranger = Caller(other["organization"]["id"], other["api_key"]["id"], "admin")
    assert world.ask("POST", "/api/people", {"email": "ana@example.com"}, caller=stranger)[0] == 409
    assert world.ask("GET", "/api/people", caller=stranger)[1]["people"] == []


@pytest.mark.parametrize("email", ["", "ana", "@example.com", "ana@", "a b@example.com", "ana\n@example.com", "a@b@c"])
def test_what_is_no_e_mail_address_is_refused(world: World, email: str) -> None:
    status, answer = world.ask("POST", "/api/people", {"email": email}, caller=ADMIN)
    assert (status, answer["fields"][0]["field"]) == (400, "email")


def test_a_disabled_person_is_out_at_once(world: World) -> None:
    ana, ben = joined(world), joined(world, "ben@example.com")
    signed_in(world, ana)
    bens = signed_in(world, ben)
    body = {"role": "admin", "operator": "ANA@example.com", "label": "laptop"}
    key = world.ask("POST", "/api/orgs/org_default/keys", body, caller=ADMIN)[1]["key"]["id"]
    path = f"/api/people/{ana.actor_id}"
    status, answer = world.ask("POST", f"{path}/disable", caller=ADMIN)
    assert (status, answer["person"]["status"], answer["active_keys"]) == (200, "disabled", [key])
    assert (sessions(world, ana), sessions(world, ben)) == ([], [bens])
    store = world.runtime.store
    assert sign_in.by_password(store, "ana@example.com", PASSWORD) is None
    with store.read() as tx:
        assert caller_for_person(tx, ana.actor_id) is None
    assert world.ask("POST", f"{path}/invitation", caller=ADMIN)[1]["code"] == "PERSON_DISABLED"
    assert refusal(sign_in.change_password, store, ana, PASSWORD, OTHER).status == 409
    before = len(told(world))
    assert world.ask("POST", f"{path}/disable", caller=ADMIN)[0] == 200
    assert len(told(world)) == before, "nothing happened the second time"
    names = {
        query: len(world.ask("GET", "/api/people", caller=ADMIN, query={"disabled": query})[1]["people"])
        for query in ("true", "false")
    }
    assert names == {"true": 1, "false": 1}
    world.ask("POST", f"{path}/enable", caller=ADMIN)
    assert sign_in.by_password(store, "ana@example.com", PASSWORD) == ana


def test_a_code_of_a_disabled_person_is_dead_for_good(world: World) -> None:
    answer = added(world)
    path = f"/api/people/{answer['person']['id']}"
    world.ask("POST", f"{path}/disable", caller=ADMIN)
    world.ask("POST", f"{path}/enable", caller=ADMIN)
    code = answer["invitation"]["code"]
    assert refusal(sign_in.by_code, world.runtime.store, code, PASSWORD).status == 410


def test_other_rights_and_another_password_end_the_sessions(world: World) -> None:
    ana = joined(world)
    path = f"/api/people/{ana.actor_id}"
    kept = signed_in(world, ana)
    world.ask("PATCH", path, {"name": "Ana"}, caller=ADMIN)
    assert sessions(world, ana) == [kept], "a name is no right"
    for change in ({"role": "admin"}, {"approver_roles": ["security"]}):
        signed_in(world, ana)
        assert world.ask("PATCH", path, change, caller=ADMIN)[0] == 200
        assert sessions(world, ana) == []
    signed_in(world, ana)
    sign_in.change_password(world.runtime.store, ana, PASSWORD, OTHER)
    assert sessions(world, ana) == []
    assert sign_in.by_password(world.runtime.store, "ana@example.com", PASSWORD) is None
    assert sign_in.by_password(world.runtime.store, "ana@example.com", OTHER) is not None


def test_one_s_own_password_takes_the_present_one(world: World) -> None:
    ana, store = joined(world), world.runtime.store
    assert refusal(sign_in.change_password, store, ana, OTHER, OTHER).code == "WRONG_PASSWORD"
    assert refusal(sign_in.change_password, store, ana, PASSWORD, "ana@example.com").status == 400
    assert refusal(sign_in.change_password, store, AGENT, PASSWORD, OTHER).code == "WRONG_PASSWORD"
    assert sign_in.by_password(store, "ana@example.com", PASSWORD) == ana


def test_nobody_changes_their_own_rights(world: World) -> None:
    ana = joined(world, role="admin")
    path = f"/api/people/{ana.actor_id}"
    assert world.ask("POST", f"{path}/disable", caller=ana)[1]["code"] == "OWN_ACCOUNT"
    assert world.ask("PATCH", path, {"role": "member"}, caller=ana)[1]["code"] == "OWN_ACCOUNT"
    assert world.ask("PATCH", path, {"name": "Ana", "role": "admin"}, caller=ana)[0] == 200


def test_only_admins_see_and_change_people(world: World) -> None:
    ana = joined(world)
    path = f"/api/people/{ana.actor_id}"
    for verb, where, body in (
        ("GET", "/api/people", None),
        ("POST", "/api/people", {"email": "eve@example.com"}),
        ("GET", path, None),
        ("PATCH", path, {"role": "admin"}),
        ("POST", f"{path}/invitation", None),
        ("POST", f"{path}/disable", None),
        ("POST", f"{path}/enable", None),
    ):
        assert world.ask(verb, where, body, caller=ana)[1]["code"] == "FORBIDDEN"


def test_roles_of_an_approver_are_checked(world: World) -> None:
    ana = added(world, approver_roles=["security"])["person"]
    path = f"/api/people/{ana['id']}"
    for body in ({"role": "readonly"}, {"approver_roles": ["Not A Role"]}, {"approver_roles": ["admin"]}, {}):
        assert world.ask("PATCH", path, body, caller=ADMIN)[0] == 400, body
    _, answer = world.ask("PATCH", path, {"role": "readonly", "approver_roles": [], "rol": "x"}, caller=ADMIN)
    assert (answer["person"]["approver_roles"], len(answer["warnings"])) == ([], 1)


def test_a_password_that_was_kept_with_other_parameters_is_kept_anew(world: World) -> None:
    from argon2 import PasswordHasher

    ana = joined(world)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with world.runtime.store.write(ana.org_id) as tx:
        tx.execute(update(people).values(password_hash=weak))
    assert sign_in.by_password(world.runtime.store, "ana@example.com", PASSWORD) == ana
    with world.runtime.store.read() as tx:
        kept = tx.scalar(select(people.c.password_hash))
    assert "m=65536" in kept
    assert told(world)[-1][1]["change"] == "password kept anew"


def findings(world: World) -> list[str]:
    found = Findings()
    with world.runtime.store.read() as tx:
        compare_rows(tx, "org_default", found, "")
    return [str(finding) for finding in found.found]


def test_verification_sees_a_person_whom_somebody_changed_in_the_database(world: World) -> None:
    ana = joined(world)
    world.ask("PATCH", f"/api/people/{ana.actor_id}", {"role": "admin", "metadata": {"a": 1}}, caller=ADMIN)
    sign_in.by_password(world.runtime.store, "ana@example.com", PASSWORD)
    assert findings(world) == []
    for values, name in (({"role": "member"}, "role"), ({"password_hash": "$argon2id$x"}, "check")):
        with world.runtime.store.write(ana.org_id) as tx:
            tx.execute(update(people).values(**values))
        [finding] = findings(world)
        assert name in finding


def test_a_person_and_the_key_of_that_person_are_one_approver(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"], "approvals_required": 2})
    ana, ben = joined(world, role="admin"), joined(world, "ben@example.com", role="admin")
    by_key = ADMIN._replace(actor_id="key_ana", operator="ANA@example.com")
    action_id = world.act("deploy")[1]["action_id"]
    path = f"/api/actions/{action_id}/approve"
    for caller in (ana, by_key):
        _, answer = world.ask("POST", path, {"decision": "allow"}, caller=caller)
        assert answer["action"]["approval"]["remaining"] == 1
    assert world.ask("POST", path, {"decision": "deny"}, caller=by_key)[1]["code"] == "ALREADY_VOTED"
    _, answer = world.ask("POST", path, {"decision": "allow"}, caller=ben)
    assert answer["action"]["status"] == "running"
    first, _ = answer["action"]["approval"]["votes"]
    assert (first["by"], first["actor_type"], first["name"]) == (ana.actor_id, "user", "ana@example.com")


@pytest.mark.parametrize("maker", ["session", "key"])
def test_nobody_releases_what_the_same_person_asked_for_in_another_way(world: World, maker: str) -> None:
    world.ask("PATCH", "/api/orgs/org_default", {"self_approval": False}, caller=ADMIN)
    world.policy("require_approval", {"action_types": ["deploy"]})
    ana = joined(world, role="admin")
    body = {"role": "admin", "operator": "ana@example.com"}
    key = world.ask("POST", "/api/orgs/org_default/keys", body, caller=ADMIN)[1]["key"]["id"]
    by_key = ADMIN._replace(actor_id=key, operator="ana@example.com")
    first, second = (ana, by_key) if maker == "session" else (by_key, ana)
    asked = {"action_type": "deploy", "declared_goal": "Ship it", "agent_id": "agent-1"}
    action_id = world.ask("POST", "/api/actions", asked, caller=first)[1]["action_id"]
    path = f"/api/actions/{action_id}/approve"
    for caller in (first, second):
        assert world.ask("POST", path, {"decision": "allow"}, caller=caller)[0] == 403
    assert (
        world.ask("POST", path, {"decision": "allow"}, caller=joined(world, "ben@example.com", role="admin"))[0] == 200
    )
