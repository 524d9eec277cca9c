"""Governed tool calls: whatever goes wrong, a call that must not run does not run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    AsyncDashClaw,
    ConfigurationError,
    ConflictError,
    DashClaw,
    GuardBlockedError,
    GuardUnavailableError,
    RetryPolicy,
    govern,
)
from dashclaw import _governor as governing
from dashclaw._governor import Governor
from dashclaw._tool_calls import ToolCall, arguments_of, fingerprint, plain, summary
from dashclaw._tool_rules import rate
from dashclaw.local import LocalTransport

NOBODY = "http://127.0.0.1:9"


class Tool:
    """A tool that remembers that it ran."""

    def __init__(self) -> None:
        self.ran: list[Any] = []

    def read_table(self, table: str, limit: int = 3) -> list[int]:
        """Read rows of a table."""
        self.ran.append(table)
        return [1] * limit

    def drop_table(self, table: str) -> str:
        """Drop a table."""
        self.ran.append(table)
        return "gone"

    async def aread_table(self, table: str) -> str:
        """Read rows of a table."""
        self.ran.append(table)
        return "rows"

    async def adrop_table(self, table: str) -> str:
        """Drop a table."""
        self.ran.append(table)
        return "gone"


@pytest.fixture
def tool() -> Tool:
    return Tool()


@pytest.fixture
def claw(tmp_path: Path) -> Iterator[DashClaw]:
    with DashClaw.local(tmp_path / "d.db", agent_id="agent", starter_policies=False) as found:
        for name, kind, rules in (
            ("No drops", "block_action_type", {"action_types": ["*drop_table"]}),
            ("Mail is asked", "require_approval", {"action_types": ["send_mail"]}),
        ):
            found.request("POST", "/api/policies", body={"name": name, "policy_type": kind, "rules": rules})
        yield found


def unreachable(guard_failure: str) -> DashClaw:
    return DashClaw(
        NOBODY, "k", agent_id="agent", guard_failure=guard_failure, retry=RetryPolicy(attempts=1), timeout=5
    )


def actions(claw: DashClaw) -> list[dict[str, Any]]:
    return claw.get_actions()["actions"]  # type: ignore[return-value]


def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, tool: Tool) -> None:
    assert govern(tool.read_table, claw)("customers", limit=2) == [1, 1]
    assert tool.ran == ["customers"]
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["declared_goal"]) == (
        "read_table",
        "completed",
        "read_table: Read rows of a table.",
    )
    assert row["input_summary"] == '{"table": "customers", "limit": 2}'
    assert row["output_summary"] == "[1, 1]"
    assert row["metadata"]["arguments_sha256"] == fingerprint({"table": "customers", "limit": 2})


def test_a_blocked_call_never_runs_and_says_why(claw: DashClaw, tool: Tool) -> None:
    with pytest.raises(GuardBlockedError, match="No drops"):
        govern(tool.drop_table, claw)("customers")
    told = govern(tool.drop_table, claw, on_block="return")("customers")
    assert "NOT run" in told
    assert "No drops" in told
    assert tool.ran == []
    assert {row["status"] for row in actions(claw)} == {"blocked"}


def test_observing_decides_and_records_and_stops_nothing(
    claw: DashClaw, tool: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dashclaw"):
        assert govern(tool.drop_table, claw, mode="observe")("customers") == "gone"
        governor = Governor(claw, mode="observe")
        assert governor.start(ToolCall("send_mail", {"to": "a"})).runs
    assert tool.ran == ["customers"]
    assert "only observed" in caplog.text
    assert sorted(row["status"] for row in actions(claw)) == ["blocked", "cancelled"]
    assert claw.get_pending_approvals()["total"] == 0


def test_an_approval_covers_the_same_arguments_only(claw: DashClaw) -> None:
    governor = Governor(claw)
    first = governor.start(ToolCall("send_mail", {"to": "a@example.com", "text": "hello"}))
    assert isinstance(first.error, ApprovalPendingError)
    assert first.action_id is not None
    assert first.action_id in first.message
    claw.approve_action(first.action_id, "allow")
    other = governor.start(ToolCall("send_mail", {"to": "b@example.com", "text": "hello"}))
    assert not other.runs
    again = governor.start(ToolCall("send_mail", {"to": "a@example.com", "text": "hello"}))
    assert again.runs
    governor.finish(again, "sent")
    assert not governor.start(ToolCall("send_mail", {"to": "a@example.com", "text": "hello"})).runs


def test_without_a_server_nothing_runs_unless_the_user_chose_so(tool: Tool, caplog: pytest.LogCaptureFixture) -> None:
    with unreachable("closed") as claw, pytest.raises(GuardUnavailableError):
        govern(tool.read_table, claw)("customers")
    assert tool.ran == []
    with unreachable("open") as claw, caplog.at_level(logging.WARNING, "dashclaw"):
        assert govern(tool.read_table, claw)("customers") == [1, 1, 1]
    assert 'guard_failure is "open"' in caplog.text


@pytest.mark.parametrize("broken", ["arguments_of", "rate", "summary", "fingerprint", "_merged", "begin"])
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw, tool: Tool, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(governing, broken, fail)
    with pytest.raises(GuardUnavailableError, match="a mistake"):
        govern(tool.read_table, claw)("customers")
    assert tool.ran == []


@pytest.mark.parametrize("broken", ["arguments_of", "rate", "summary", "fingerprint", "_merged", "observe", "finish"])
def test_a_mistake_of_ours_never_breaks_what_is_only_observed(
    claw: DashClaw, tool: Tool, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(governing, broken, fail)
    assert govern(tool.read_table, claw, mode="observe")("customers") == [1, 1, 1]
    assert tool.ran == ["customers"]


def test_errors_of_the_tool_keep_their_type(claw: DashClaw) -> None:
    def fail() -> None:
        raise KeyError("missing")

    with pytest.raises(KeyError):
        govern(fail, claw)()
    (row,) = actions(claw)
    assert (row["status"], row["error_message"]) == ("failed", "KeyError: 'missing'")


def test_calls_inside_a_call_name_it_as_their_parent(claw: DashClaw, tool: Tool) -> None:
    inner = govern(tool.read_table, claw)

    def list_tables() -> Any:
        return inner("customers")

    govern(list_tables, claw)()
    rows = {row["action_type"]: row for row in actions(claw)}
    assert rows["read_table"]["parent_action_id"] == rows["list_tables"]["action_id"]
    assert rows["list_tables"]["parent_action_id"] is None


def _sync(path: Path) -> DashClaw:
    return DashClaw.local(path, agent_id="agent")


def _async(path: Path) -> AsyncDashClaw:
    return AsyncDashClaw(agent_id="agent", transport=LocalTransport.open(path))


@pytest.mark.parametrize("make", [_sync, _async], ids=["DashClaw", "AsyncDashClaw"])
def test_async_functions_stay_async_with_either_client(
    claw: DashClaw, tool: Tool, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    async def run() -> None:
        client = make(tmp_path / "d.db")
        try:
            assert await govern(tool.aread_table, client)("customers") == "rows"
            with pytest.raises(GuardBlockedError):
                await govern(tool.adrop_table, client)("customers")
        finally:
            client.close()

    asyncio.run(run())
    assert tool.ran == ["customers"]
    assert sorted(row["status"] for row in actions(claw)) == ["blocked", "completed"]


def test_what_is_only_noted_is_never_stopped(claw: DashClaw) -> None:
    governor = Governor(claw, framework="test")
    gate = governor.note("drop_table", "A call of a model", model="m-1")
    assert gate.runs
    good = governor.note("llm.call", "A call of a model", model="m-1")
    governor.finish(good, "text", tokens_in=3, tokens_out=4)
    row = claw.get_action(good.action_id or "")["action"]
    assert (row["tokens_in"], row["tokens_out"], row["model"]) == (3, 4, "m-1")
    with unreachable("closed") as nobody:
        assert Governor(nobody).note("llm.call", "A call of a model").runs


def test_mappings_say_what_a_tool_is(claw: DashClaw) -> None:
    governor = Governor(
        claw,
        action_type={"db_*": "database"},
        risk={"db_read": 5, "db_*": {"risk_score": 77, "reversible": False, "systems_touched": ["warehouse"]}},
    )
    for name in ("db_read", "db_write"):
        assert governor.start(ToolCall(name, {})).runs
    low, high = sorted(actions(claw), key=lambda row: row["risk_score"])
    assert (low["action_type"], low["reversible"], low["systems_touched"]) == ("database", True, [])
    assert (high["reversible"], high["systems_touched"]) == (False, ["warehouse"])
    assert low["risk_score"] < 77 <= high["risk_score"]
    with pytest.raises(ConfigurationError, match="observe"):
        Governor(claw, mode="watch")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "arguments", "risk", "reversible"),
    [
        ("deleteFile", {}, 85, False),
        ("get_weather", {}, 10, True),
        ("get_rows", {"sql": "select 1"}, 70, True),
        ("transfer_funds", {}, 80, False),
        ("frobnicate", {}, 50, True),
        ("list_and_delete", {}, 85, False),
    ],
)
def test_names_and_arguments_say_how_risky_a_call_is(
    name: str, arguments: dict[str, Any], risk: int, reversible: bool
) -> None:
    assert rate(name, arguments) == (risk, reversible)


def test_arguments_of_any_shape_can_be_recorded() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert arguments_of('{"a": 1}') == {"a": 1}
    assert arguments_of("plain") == {"input": "plain"}
    assert arguments_of(None) == {}
    assert plain({"a": Odd(), 3: {1}}) == {"a": "(Odd)", "3": [1]}
    assert "sk-" not in summary({"key": "sk-proj-" + "a1B2" * 12})
    assert len(summary("x" * 100_000)) == 4000
    assert fingerprint({"a": Odd()}) == fingerprint({"a": Odd()})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})


def test_a_call_made_again_under_its_id_goes_on_with_its_approval_once(claw: DashClaw, tmp_path: Path) -> None:
    mail = ToolCall("send_mail", {"to": "a@example.com"}, action_id="act_mail_1")
    assert Governor(claw).start(mail).action_id == "act_mail_1"
    again = Governor(claw).start(mail)
    assert isinstance(again.error, ApprovalPendingError)
    assert again.action_id == "act_mail_1"
    claw.approve_action("act_mail_1", "allow")
    # An identical call of somebody else needs an approval of its own.
    assert not Governor(claw).start(ToolCall("send_mail", {"to": "a@example.com"}, action_id="act_mail_2")).runs
    assert not Governor(claw).start(ToolCall("send_mail", {"to": "a@example.com"})).runs
    with _sync(tmp_path / "d.db") as other:
        started = Governor(other).start(mail)
        assert started.runs
        assert started.action_id == "act_mail_1"
        late = Governor(claw).start(mail)
        assert isinstance(late.error, ConflictError)
        assert "runs once" in late.message
        Governor(other).finish(started, "sent")
    assert "runs once" in Governor(claw).start(mail).message
    assert claw.get_action("act_mail_1")["action"]["status"] == "completed"


def test_of_several_that_make_a_call_again_one_runs_it(claw: DashClaw, tmp_path: Path) -> None:
    mail = ToolCall("send_mail", {"to": "a@example.com"}, action_id="act_mail_1")
    Governor(claw).start(mail)
    claw.approve_action("act_mail_1", "allow")
    clients = [_sync(tmp_path / "d.db") for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            gates = list(pool.map(lambda client: Governor(client).start(mail), clients))
    finally:
        for client in clients:
            client.close()
    assert [gate.runs for gate in gates].count(True) == 1


def test_a_call_made_again_keeps_to_what_was_decided(claw: DashClaw) -> None:
    governor = Governor(claw)
    mail = ToolCall("send_mail", {"to": "a@example.com"}, action_id="act_mail_1")
    governor.start(mail)
    other = governor.start(mail._replace(arguments={"to": "b@example.com"}))
    assert isinstance(other.error, ConflictError)
    claw.approve_action("act_mail_1", "deny", reasoning="not to them")
    denied = governor.start(mail)
    assert isinstance(denied.error, ApprovalDeniedError)
    assert "not to them" in denied.message
    read = ToolCall("read_table", {"table": "customers"}, action_id="act_read_1")
    first, second = governor.start(read), governor.start(read)
    assert first.runs
    assert second.runs
    assert first.action_id == "act_read_1" != second.action_id
    observed = Governor(claw, mode="observe").start(read)
    assert observed.runs
    assert observed.action_id not in (None, "act_read_1", second.action_id)
