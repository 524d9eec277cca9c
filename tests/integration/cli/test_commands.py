"""Every command, on an embedded database and against a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashclaw import DashClaw
from dashclaw.cli import main, parser
from dashclaw.cli.approvals_watch import waiting
from dashclaw.cli.connection import connect

from ..databases import database
from ..serving import Served
from .conftest import Place, Run


def test_what_waits_is_listed_until_it_is_decided(place: Place) -> None:
    action_id = place.waiting("Ship release 7")
    shown = place.run("approvals", "list")
    assert shown.code == 0
    [line] = [line for line in shown.out.splitlines() if action_id in line]
    assert line.split()[1:4] == ["agent-1", "deploy", "95"]
    assert line.endswith("Ship release 7")
    assert place.run("approvals", "approve", action_id).code == 0
    assert action_id not in place.run("approvals", "list").out


def test_an_approved_action_is_released_and_keeps_the_reason(place: Place) -> None:
    action_id = place.waiting()
    shown = place.run("approvals", "approve", action_id, "--reason", "Looks safe")
    assert shown.out == f"Approved {action_id}: Ship it\n"
    assert shown.err == ""
    action = place.agent.get_action(action_id)["action"]
    assert action["approval"]["status"] == "approved"
    assert action["approval"]["reason"] == "Looks safe"


def test_a_denied_action_stays_refused(place: Place) -> None:
    action_id = place.waiting()
    shown = place.run("approvals", "deny", action_id)
    assert shown.out == f"Denied {action_id}: Ship it\n"
    action = place.agent.get_action(action_id)["action"]
    assert (action["status"], action["resolution"]) == ("failed", "denied")


def test_an_action_is_decided_once(place: Place) -> None:
    action_id = place.waiting()
    place.run("approvals", "approve", action_id)
    again = place.run("approvals", "deny", action_id)
    assert again.code == 1
    assert again.err.startswith("error: The action does not wait for approval: it is running")
    assert place.agent.get_action(action_id)["action"]["approval"]["status"] == "approved"


def test_an_approval_is_shown_in_full(place: Place) -> None:
    action_id = place.waiting("Ship it", systems_touched=["prod", "dns"], reasoning="Customers wait\nsince Monday")
    lines = place.run("approvals", "show", action_id).out.splitlines()
    assert f"action id        {action_id}" in lines
    assert "systems touched  prod, dns" in lines
    assert "reasoning        Customers wait" in lines
    assert "                 since Monday" in lines
    assert any(line.startswith("approval         status: pending") for line in lines)


def test_watch_shows_what_waits_once_and_ends_in_the_silence(place: Place) -> None:
    ids = [place.waiting("One"), place.waiting("Two")]
    place.done()
    shown = place.run("approvals", "watch", "--timeout", "0.2", "--json")
    assert shown.code == 0
    assert [json.loads(line)["action_id"] for line in shown.out.splitlines()] == ids
    assert shown.err == "Watching for actions that wait for a person; Ctrl-C ends it.\n"
    assert place.run("approvals", "watch", "--timeout", "0.2").out.splitlines() == [
        f"{ids[0]}  agent-1  deploy  One",
        f"{ids[1]}  agent-1  deploy  Two",
    ]


def test_watch_misses_nothing_between_the_list_and_the_stream(place: Place) -> None:
    first = place.waiting("One")
    with connect(parser().parse_args(["approvals", "watch", *place.words])) as client:
        found = waiting(client, 30)
        assert next(found)["action_id"] == first
        second = place.waiting("Two")
        assert next(found)["action_id"] == second
        third = place.waiting("Three")
        assert next(found)["action_id"] == third
        found.close()


def test_actions_are_listed_filtered_and_counted(place: Place) -> None:
    done = place.done("Look around")
    waits = place.waiting()
    everything = place.run("actions", "list")
    assert done in everything.out
    assert waits in everything.out
    assert everything.out.rstrip().endswith("in total")
    filtered = place.run("actions", "list", "--status", "pending_approval", "--type", "deploy", "--agent", "agent-1")
    assert waits in filtered.out
    assert done not in filtered.out
    assert len(place.run("actions", "list", "--limit", "1", "--json").document["actions"]) == 1
    assert place.run("actions", "list", "--agent", "nobody").out == "No actions.\n0 in total\n"


def test_an_action_is_shown_with_its_loops_and_assumptions(place: Place) -> None:
    action_id = place.done(risk_score=10)
    place.agent.register_open_loop(action_id, "followup", "Tell the customer")
    place.agent.register_assumption(action_id, "Prices are current")
    lines = place.run("actions", "show", action_id).out.splitlines()
    assert "output summary   Done" in lines
    assert "reversible       yes" in lines
    assert "loop open: Tell the customer" in lines
    assert "assumption: Prices are current" in lines


def test_a_trace_shows_parents_and_children(place: Place) -> None:
    parent = place.done("Plan")
    child = place.agent.create_action("research", "Part one", parent_action_id=parent)["action_id"]
    above = place.run("actions", "trace", parent).out
    assert child in above[above.index("Sub-actions") :]
    below = place.run("actions", "trace", child).out
    assert parent in below[below.index("Parents") :]


def test_a_policy_lives_from_add_to_remove(place: Place) -> None:
    rules = '{"action_types": ["db.drop"]}'
    added = place.run("policies", "add", "No drops", "block_action_type", rules)
    assert added.out.startswith("Added gp_")
    listed = place.run("policies", "list").out
    [line] = [line for line in listed.splitlines() if "No drops" in line]
    assert line.split()[3:6] == ["block_action_type", "yes", '{"action_types":']
    assert place.run("guard", "db.drop").code == 4
    assert place.run("policies", "disable", "No drops").out == "Disabled No drops\n"
    assert place.run("guard", "db.drop").code == 0
    assert place.run("policies", "enable", "No drops").out == "Enabled No drops\n"
    assert place.run("guard", "db.drop").code == 4
    assert place.run("policies", "remove", "No drops").out == "Removed No drops\n"
    assert place.run("guard", "db.drop").code == 0
    assert "No drops" not in place.run("policies", "list").out


def test_a_policy_is_named_by_its_id_as_well(place: Place) -> None:
    added = place.run("policies", "add", "By id", "warn_action_type", '{"action_types": ["x"]}', "--json").document
    assert place.run("policies", "remove", added["policy"]["id"]).out == "Removed By id\n"


def test_a_policy_may_be_for_some_agents_only(place: Place) -> None:
    words = ["policies", "add", "Only bob", "block_action_type", '{"action_types": ["mail"]}', "--agent", "bob"]
    assert place.run(*words, "--agent", "eve").code == 0
    found = {agent: place.run("guard", "mail", "--agent", agent).code for agent in ("bob", "eve", "ann")}
    assert found == {"bob": 4, "eve": 4, "ann": 0}


def test_the_exit_code_of_guard_is_the_decision(place: Place) -> None:
    place.run("policies", "add", "Warn mail", "warn_action_type", '{"action_types": ["mail"]}')
    place.run("policies", "add", "No drops", "block_action_type", '{"action_types": ["db.drop"]}')
    asked = {
        "allow": ("research",),
        "warn": ("mail",),
        "require_approval": ("deploy", "--risk", "95"),
        "block": ("db.drop",),
    }
    found = {name: place.run("guard", *words, "--json") for name, words in asked.items()}
    assert {name: shown.document["decision"] for name, shown in found.items()} == {name: name for name in asked}
    assert [shown.code for shown in found.values()] == [0, 0, 3, 4]
    assert [place.run("guard", *words).code for words in asked.values()] == [0, 0, 3, 4]


def test_guard_passes_on_what_it_is_told(place: Place) -> None:
    words = ("--risk", "30", "--goal", "Move", "--system", "prod", "--irreversible", "--agent", "me")
    plain = place.run("guard", "deploy", "--json").document
    told = place.run("guard", "deploy", *words, "--json").document
    assert told["risk_score"] > plain["risk_score"]
    assert told["risk_breakdown"]["irreversible"] > 0
    [decision] = place.agent.get_guard_decisions(agent_id="me")["decisions"]
    assert decision["id"] == told["decision_id"]


def test_a_decision_names_its_reasons(place: Place) -> None:
    lines = place.run("guard", "deploy", "--risk", "95").out.splitlines()
    assert lines[0] == "require_approval  (risk 95)"
    assert lines[1].startswith("  High risk needs approval")


def test_a_key_is_printed_once_and_works_until_it_is_revoked(remote: Place, run: Run, server: Served) -> None:
    made = remote.run("keys", "create", "--label", "laptop", "--role", "readonly")
    key, sentence = made.out.splitlines()
    key_id = sentence.rpartition(" ")[2].rstrip(".")
    as_reader = ("--url", server.url, "--api-key", key)
    assert run("actions", "list", *as_reader).code == 0
    listed = remote.run("keys", "list")
    assert key not in listed.out
    assert key not in remote.run("keys", "list", "--json").out
    [line] = [line for line in listed.out.splitlines() if key_id in line]
    assert line.split()[2:4] == ["readonly", "laptop"]
    assert remote.run("keys", "revoke", key_id).out == f"Revoked {key_id}\n"
    refused = run("actions", "list", *as_reader)
    assert refused.code == 1
    assert "give a key of this server with --api-key or DASHCLAW_API_KEY" in refused.err
    assert key not in refused.err


def test_keys_are_made_in_an_embedded_database_for_a_later_server(embedded: Place) -> None:
    made = embedded.run("keys", "create", "--role", "admin", "--json").document["api_key"]
    assert made["key"].startswith("oc_live_")
    assert made["role"] == "admin"
    listed = embedded.run("keys", "list", "--json")
    assert [row["id"] for row in listed.document["keys"]] == [made["id"]]
    assert made["key"] not in listed.out


def test_the_version_is_the_package_s(run: Run) -> None:
    version = run("version", "--json").document["dashclaw"]
    assert run("version").out.startswith(f"dashclaw {version} (Python 3.")
    assert run("--version").out == f"dashclaw {version}\n"


def test_a_database_is_made_described_copied_and_put_back(tmp_path: Path, run: Run) -> None:
    first, copy, second = (str(tmp_path / name) for name in ("first.db", "copy.db", "second.db"))
    assert run("db", "upgrade", "--db", first).out.startswith("The schema is ")
    with DashClaw.local(first, agent_id="agent-1") as agent:
        agent.create_action("research", "Keep me")
    described = run("db", "info", "--db", first, "--json").document
    assert (described["dialect"], described["actions"]) == ("sqlite", 1)
    assert ["actions", "1"] in [line.split() for line in run("db", "info", "--db", first).out.splitlines()]
    assert run("db", "backup", copy, "--db", first).out.startswith(f"Wrote {copy} (")
    assert run("db", "restore", copy, "--db", second).out.startswith("Restored ")
    assert "Keep me" in run("actions", "list", "--db", second).out


def test_a_restore_does_not_replace_data_unless_forced(tmp_path: Path, run: Run) -> None:
    first, copy = str(tmp_path / "first.db"), str(tmp_path / "copy.db")
    with DashClaw.local(first, agent_id="agent-1") as agent:
        agent.create_action("research", "Before")
        run("db", "backup", copy, "--db", first)
        agent.create_action("research", "After")
    refused = run("db", "restore", copy, "--db", first)
    assert refused.code == 1
    assert refused.err == "error: The database holds data already; --force replaces all of it\n"
    assert "After" in run("actions", "list", "--db", first).out
    assert run("db", "restore", copy, "--db", first, "--force").code == 0
    shown = run("actions", "list", "--db", first).out
    assert "Before" in shown
    assert "After" not in shown


def test_the_environment_names_the_database(embedded: Place, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    action_id = embedded.done()
    for name in ("DASHCLAW_DB", "DASHCLAW_DATABASE_URL"):
        with monkeypatch.context() as environment:
            environment.setenv(name, embedded.words[1])
            assert action_id in run("actions", "list").out
            assert run("db", "info").code == 0
    monkeypatch.setenv("DASHCLAW_BASE_URL", f"sqlite:///{embedded.words[1]}")
    assert action_id in run("actions", "list").out


def test_the_environment_names_the_server(
    remote: Place, server: Served, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    action_id = remote.done()
    monkeypatch.setenv("DASHCLAW_BASE_URL", server.url)
    monkeypatch.setenv("DASHCLAW_API_KEY", server.admin_key)
    assert action_id in run("actions", "list").out


def test_an_option_wins_over_the_environment(embedded: Place, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    action_id = embedded.done()
    monkeypatch.setenv("DASHCLAW_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DASHCLAW_DB", "/nonexistent/other.db")
    assert action_id in run("actions", "list", *embedded.words).out


def test_an_interrupted_command_exits_with_130(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dashclaw.cli.actions.connect", interrupted)
    assert main(["actions", "list", *embedded.words]) == 130


def test_everything_works_on_postgresql_as_well(tmp_path: Path, run: Run) -> None:
    with database("postgresql", tmp_path) as url:
        assert run("db", "upgrade", "--db", url).code == 0
        with DashClaw.local(url, agent_id="agent-1") as agent:
            place = Place(agent, run, ("--db", url))
            action_id = place.waiting()
            assert action_id in place.run("approvals", "list").out
            assert place.run("approvals", "approve", action_id).code == 0
            assert place.run("guard", "deploy", "--risk", "90").code == 3
        described = run("db", "info", "--db", url, "--json").document
        assert (described["dialect"], described["actions"]) == ("postgresql", 1)
        assert run("doctor", "--db", url).code == 0
        copy = str(tmp_path / "copy.db")
        assert run("db", "backup", copy, "--db", url).code == 0
        assert action_id in run("actions", "list", "--db", copy).out
