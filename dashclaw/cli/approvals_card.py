"""How an action that waits is drawn: the queue above, one action in full, the keys below. Needs rich."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dashclaw._inert import inert

from .dossier import Dossier, policies_text, risk_text, similar_text, time_left
from .output import age, one_line
from .waiting import Queue

_ROWS = 5
_HIGH = 70
HELP = (
    ("a", "approve the action that is shown"),
    ("d", "deny it; you are asked for a reason, which the agent gets"),
    ("s", "skip it: look at the next one, this one goes to the end"),
    ("↑ ↓, k j", "look at another one"),
    ("?", "this help"),
    ("q, Ctrl-C", "leave; what waits goes on waiting"),
)


class Shown(NamedTuple):
    """What the screen says beside the action: `prompt` is the reason as it is typed, None when none is asked for."""

    connected: bool
    ready: bool
    message: str
    prompt: str | None
    help: bool


def text(value: object, style: str = "") -> Text:
    """Words of somebody else, harmless and on one line."""
    return Text(inert(one_line(value)), style)


def card(queue: Queue, dossier: Dossier | None, shown: Shown) -> RenderableType:
    """The whole screen."""
    layout = Layout()
    rows = min(len(queue), _ROWS)
    layout.split_column(
        Layout(Group(_head(queue, shown), _queue(queue)), size=rows + 2, name="queue"),
        Layout(_body(queue, dossier, shown), name="body"),
        Layout(_foot(queue, shown), size=2, name="foot"),
    )
    return layout


def _head(queue: Queue, shown: Shown) -> Text:
    found = Text("dashclaw approvals  ", "bold")
    found.append(f"{len(queue)} waiting" if len(queue) else "nothing waits", "bold yellow" if len(queue) else "green")
    if not shown.connected:
        found.append("  no connection: trying again, what you see may be old", "bold red")
    return found


def _queue(queue: Queue) -> Table:
    table = Table.grid(padding=(0, 2), expand=False)
    for _ in range(6):
        table.add_column(no_wrap=True, overflow="ellipsis")
    actions = list(queue)
    first = max(0, min(queue.position - _ROWS // 2, len(actions) - _ROWS))
    for at, action in enumerate(actions[first : first + _ROWS], first):
        looked_at = at == queue.position
        table.add_row(
            Text(">" if looked_at else " ", "bold"),
            text(action["agent_id"]),
            text(action["action_type"]),
            _risk(action["risk_score"]),
            text(age(action["created_at"])),
            text(action["declared_goal"]),
            style="bold" if looked_at else "dim",
        )
    return table


def _risk(score: int) -> Text:
    return Text(f"risk {score}", "red" if score >= _HIGH else "")


def _body(queue: Queue, dossier: Dossier | None, shown: Shown) -> RenderableType:
    if shown.help:
        return Panel(_pairs((Text(key, "bold"), Text(meaning)) for key, meaning in HELP), title="Keys")
    action = queue.current
    if action is None:
        return Panel(Text("Nothing waits for a person. What comes to wait appears here by itself."))
    rows = [
        (Text(name), Group(*value) if isinstance(value, list) else value) for name, value in _facts(action, dossier)
    ]
    title = Text(f"{queue.position + 1} of {len(queue)}: ").append_text(text(action["action_id"]))
    return Panel(_pairs(rows), title=title, title_align="left")


def _pairs(rows: Iterable[tuple[Text, RenderableType]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _facts(action: Mapping[str, Any], dossier: Dossier | None) -> Iterable[tuple[str, RenderableType | list[Text]]]:
    decision = dossier.decision if dossier else None
    yield "agent", text(action["agent_id"] + (f" ({action['agent_name']})" if action.get("agent_name") else ""))
    yield "action", text(action["action_type"], "bold")
    yield "goal", text(action["declared_goal"], "bold")
    yield "systems", text(", ".join(action.get("systems_touched") or ()) or "-")
    yield "risk", text(risk_text(action, decision), "red" if action["risk_score"] >= _HIGH else "")
    if not action.get("reversible", True):
        yield "", Text("cannot be undone", "red")
    yield "time left", text(time_left(action))
    yield "asked by", [text(line) for line in policies_text(action, decision)]
    yield "similar", [text(line) for line in similar_text(dossier.similar)] if dossier else Text("…")
    for name in ("reasoning", "input_summary", "authorization_scope", "trigger"):
        if action.get(name):
            yield name.replace("_", " "), text(action[name])
    votes = (action.get("approval") or {}).get("votes") or ()
    if votes:
        yield "votes", [text(f"{vote['decision']} by {vote['name'] or vote['by']}") for vote in votes]


def _foot(queue: Queue, shown: Shown) -> Group:
    if shown.prompt is not None:
        keys = Text("Reason for denying (Enter: deny, Esc: back): ", "bold").append(inert(shown.prompt)).append("▏")
    elif queue.current is None or shown.ready:
        deciding = "" if queue.current is None else "a approve   d deny   s skip   ↑↓ other   "
        keys = Text(f"{deciding}? help   q quit", "reverse")
    else:
        keys = Text("It has just changed: look at it", "reverse")
    keys.no_wrap, keys.overflow = True, "crop"
    return Group(text(shown.message, "yellow"), keys)
