"""What type checkers must refuse: each line with "wrong" is an error, and no other line is."""

from __future__ import annotations

from dashclaw import AsyncDashClaw, DashClaw, RetryPolicy


def parameters(claw: DashClaw) -> None:
    claw.create_action("research")  # wrong
    claw.create_action("research", "look", risk_score="high")  # wrong
    claw.get_action(7)  # wrong
    claw.guard("research")  # wrong
    claw.get_action("act_1", "more")  # wrong
    claw.get_org(limit=3)  # wrong
    claw.no_such_method()  # wrong
    claw.get_action("act_1")["no_such_key"]  # wrong


def settings() -> None:
    DashClaw("http://localhost", 7)  # wrong
    DashClaw("http://localhost", "key", unknown=1)  # wrong
    DashClaw("http://localhost", "key", retry=3)  # wrong
    RetryPolicy(attempts="five")  # wrong


async def awaiting(claw: AsyncDashClaw, sync: DashClaw) -> None:
    claw.get_action("act_1")["action"]  # wrong
    await sync.get_action("act_1")  # wrong
    with claw.track("research", "look"):  # wrong
        pass
    await claw.create_action("research")  # wrong


def guarded_functions(claw: DashClaw, asynchronous: AsyncDashClaw) -> None:
    @claw.guarded("math")
    def add(a: int) -> int:
        return a

    add("one")  # wrong
    add(1, 2)  # wrong
    text: str = add(1)  # wrong
    print(text)

    @asynchronous.guarded("math")  # wrong
    def subtract(a: int) -> int:
        return a
