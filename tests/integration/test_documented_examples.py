"""Every documented example runs as written: in process and over HTTP, sync and async, on both databases."""

from __future__ import annotations

import ast
import asyncio
import re
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dashclaw import ApprovalDeniedError, AsyncDashClaw, DashClaw
from dashclaw.local import LocalTransport

from .databases import database
from .serving import served

DATA = Path(__file__).parents[1] / "contract" / "data"
WAYS = ("in process", "http")
STYLES = ("sync", "async")
POLICY = {
    "name": "Customers",
    "policy_type": "require_approval",
    "rules": {"action_types": ["customer_communication"]},
}


class Awaiting(ast.NodeTransformer):
    """Puts `await` before each call of `claw`, and `async` before each `with` about one."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        on_claw = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "claw"
        tracking = isinstance(node.func, ast.Attribute) and node.func.attr == "track"
        return ast.Await(node) if on_claw and not tracking else node

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)
        return ast.AsyncWith(node.items, node.body) if any(map(on_claw, node.items)) else node


def on_claw(item: ast.withitem) -> bool:
    """Whether a `with` is about a call of `claw`, and not about a file."""
    found = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    return isinstance(found, ast.Attribute) and getattr(found.value, "id", "") == "claw"


def function(kind: str, block: str) -> ast.Module:
    """A block as the body of a function, because some return, whose names live on from block to block."""
    tree = ast.parse(f"{kind} example():\n" + textwrap.indent(block, "    "))
    body = tree.body[0].body  # type: ignore[attr-defined]
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if stored:
        body.insert(0, ast.Global(sorted(stored)))
    return tree


def run_sync(blocks: list[str], names: dict[str, Any]) -> None:
    for block in blocks:
        tree = ast.fix_missing_locations(function("def", block))
        exec(compile(tree, "example", "exec"), names)
        names["example"]()


async def run_async(blocks: list[str], names: dict[str, Any]) -> None:
    for block in blocks:
        tree = ast.fix_missing_locations(Awaiting().visit(function("async def", block)))
        exec(compile(tree, "example", "exec"), names)
        await names["example"]()


def prepared(agent: DashClaw) -> dict[str, Any]:
    """What the text around the examples takes for granted."""
    agent.create_action("deploy", "Ship it", action_id="action_123", status="pending")
    action_id = agent.create_action("research", "Explore")["action_id"]
    assumption_id = agent.register_assumption(action_id, "The data is current")["assumption"]["id"]
    ids = {"action_id": action_id, "assumption_id": assumption_id, "org_id": "org_default"}
    return {**ids, "ApprovalDeniedError": ApprovalDeniedError}


def blocks_of(page: Path) -> list[str]:
    """The page's code, in order; names live on from block to block."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def transports(url: str, way: str, stack: ExitStack) -> tuple[dict[str, Any], dict[str, Any]]:
    """How the agent and the operator connect."""
    if way == "http":
        server = stack.enter_context(served(url))
        return (
            {"base_url": server.url, "api_key": server.agent_key},
            {"base_url": server.url, "api_key": server.admin_key},
        )
    return (
        {"transport": LocalTransport.open(url, agent_id="my-agent", starter_policies=False)},
        {"transport": LocalTransport.open(url, agent_id="operator", operator=True)},
    )


def cases() -> Iterator[Any]:
    """Known examples run everywhere; those of the reference, one per method, on each database, way and style."""
    for kind, way, style in product(("sqlite", "postgresql"), WAYS, STYLES):
        pages = sorted((DATA / "documented_examples").glob("*.md"))
        if (WAYS.index(way) + STYLES.index(style) + (kind == "sqlite")) % 2:
            pages += sorted((DATA / "reference").glob("*.md"))
        for page in pages:
            yield pytest.param(kind, way, style, page, id=f"{page.parent.name}/{page.stem}-{kind}-{way}-{style}")


@pytest.mark.refused("hooks.example.com", "agents.example.com")
@pytest.mark.parametrize(("kind", "way", "style", "page"), list(cases()))
def test_every_documented_example_runs(
    kind: str, way: str, style: str, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(page)
    assert blocks
    with ExitStack() as stack:
        url = stack.enter_context(database(kind, tmp_path))
        agent_at, operator_at = transports(url, way, stack)
        agent = stack.enter_context(DashClaw(agent_id="my-agent", **agent_at))
        with DashClaw(agent_id="my-agent", hitl_mode="off", **operator_at) as operator:
            operator.request("POST", "/api/policies", body=POLICY)
            if page.parent.name == "reference":
                operator.update_org("org_default", self_approval=True)  # one client plays agent and operator
            names = prepared(agent)
            if style == "sync":
                run_sync(blocks, {**names, "claw": operator})
                return

        async def all_blocks() -> None:
            async with AsyncDashClaw(agent_id="my-agent", **operator_at) as claw:
                await run_async(blocks, {**names, "claw": claw})

        if way == "in process":
            operator_at = {"transport": LocalTransport.open(url, agent_id="operator", operator=True)}
        asyncio.run(all_blocks())
