"""A tracer is told what begins and ends, in the right order and in the context it belongs to, and can do no harm."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, DashClaw, GuardBlockedError, govern
from dashclaw._governor import Governor
from dashclaw.testing import FakeTransport

around: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("around", default=())


class Told:
    """A tracer that writes down what it is told, and fails where it should."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)
        if self.fails and self.fails in line:
            raise ZeroDivisionError(line)

    def run(self, client: Any, run: Any) -> Drawn:
        return Drawn(self, run.action_type)

    def guard(self, client: Any, asked: Mapping[str, Any]) -> Drawn:
        return Drawn(self, f"guard {asked['action_type']}")

    def approval(self, client: Any, action_id: str) -> Drawn:
        return Drawn(self, "approval")

    def headers(self) -> Mapping[str, str]:
        self.note("headers")
        return {}


class Drawn:
    """A span of it; it writes down in what it begins."""

    def __init__(self, told: Told, name: str) -> None:
        self.told, self.name, self.headers = told, name, {"traceparent": name}
        self.inside = (*around.get(), name)
        told.note(f"begin {' > '.join(self.inside)}")

    def enter(self) -> Callable[[], None]:
        if self.told.fails == "enter":
            raise ZeroDivisionError
        token = around.set(self.inside)
        return lambda: around.reset(token)

    def begun(self) -> None:
        self.told.note(f"begun {self.name}")

    def end(self, result: Any, error: BaseException | None) -> None:
        self.told.note(f"end {self.name}{'' if error is None else ' ' + type(error).__name__}")


def watched(told: Told, kind: Any = DashClaw, **settings: Any) -> Any:
    fake = FakeTransport({"drop": "block", "mail": "require_approval"}, approve="allow")
    claw = kind(agent_id="me", transport=fake, hitl_mode="wait", **settings)
    claw._tracer = told
    return claw


def test_what_runs() -> None:
    told = Told()
    claw = watched(told)
    with claw.track("mail", "Mail ann"):
        told.note(" > ".join(around.get()))
    assert [line for line in told.lines if line != "headers"] == [
        "begin mail",
        "begin mail > guard mail",
        "end guard mail",
        "begin mail > approval",
        "end approval",
        "begun mail",
        "mail",
        "end mail",
    ]
    assert around.get() == ()


def test_what_does_not() -> None:
    told = Told()
    claw = watched(told)
    with pytest.raises(GuardBlockedError):
        govern(lambda: told.note("ran"), claw, action_type={"*": "drop"})()
    assert [line for line in told.lines if line != "headers"] == [
        "begin drop",
        "begin drop > guard drop",
        "end guard drop GuardBlockedError",
        "end drop GuardBlockedError",
    ]


def test_what_is_only_observed_ends_with_its_work() -> None:
    told = Told()
    governor = Governor(watched(told), mode="observe")
    gate = governor.note("drop", "Only told")
    governor.finish(gate, error=LookupError())
    assert [line for line in told.lines if line != "headers"][-2:] == ["begun drop", "end drop LookupError"]


@pytest.mark.parametrize("kind", [DashClaw, AsyncDashClaw])
def test_tasks_do_not_mix(kind: Any) -> None:
    told = Told()

    async def main() -> None:
        claw = watched(told, kind)

        async def inner() -> None:
            await asyncio.sleep(0)

        async def outer(name: str) -> None:
            await govern(inner, claw, name=f"{name}_inner", action_type={"*": f"{name}_inner"})()

        await asyncio.gather(*(govern(outer, claw, action_type={"outer": name})(name) for name in "abc"))
        await claw.aclose() if kind is AsyncDashClaw else claw.close()

    asyncio.run(main())
    begun = {line for line in told.lines if line.startswith("begin")}
    assert {f"begin {name} > {name}_inner > guard {name}_inner" for name in "abc"} <= begun
    assert len(begun) == 12


@pytest.mark.parametrize("fails", ["begin", "begin mail > guard", "begun", "end", "end guard", "enter", "headers"])
def test_a_failing_tracer(fails: str, caplog: pytest.LogCaptureFixture) -> None:
    told = Told(fails)
    claw = watched(told)
    ran: list[str] = []
    with claw.track("mail", "Mail ann"):
        ran.append("mail")
    with pytest.raises(GuardBlockedError), claw.track("drop", "Drop it"):
        ran.append("drop")
    with pytest.raises(LookupError), claw.track("research", "Look it up"):
        raise LookupError
    assert ran == ["mail"]
    claw.transport.assert_not_run("drop")
    claw.transport.assert_recorded(action_type="mail", status="completed")
    claw.transport.assert_recorded(action_type="research", status="failed")
    assert "Telemetry failed" in caplog.text


def test_a_client_without_one_asks_nobody() -> None:
    claw = DashClaw(agent_id="me", transport=FakeTransport())
    with claw.track("research", "Look it up") as run:
        assert run.span is None
    assert claw._tracer is None
