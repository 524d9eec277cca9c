"""The main navigation: what there is to see, in this order; an entry shows once its page exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .routes import Table


class Entry(NamedTuple):
    """One place. `key` is what follows `g` on the keyboard, `icon` a symbol of `templates/_icons.html`.

    `also` are other beginnings of paths that belong to it.
    """

    label: str
    path: str
    icon: str
    key: str
    also: tuple[str, ...] = ()


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Operate",
        (
            Entry("Mission control", "/", "mission", "m"),
            Entry("Approvals", "/approvals", "approvals", "a"),
            Entry("Decisions", "/decisions", "decisions", "d", ("/actions",)),
            Entry("Policies", "/policies", "policies", "p"),
        ),
    ),
    (
        "Fleet",
        (
            Entry("Agents", "/agents", "agents", "g"),
            Entry("Sessions", "/sessions", "sessions", "s"),
            Entry("Messages", "/messages", "messages", "i"),
            Entry("Learning", "/learning", "learning", "l"),
            Entry("Identities", "/identities", "identities", "k", ("/pair",)),
        ),
    ),
    (
        "Account for it",
        (
            Entry("Compliance", "/compliance", "compliance", "c"),
            Entry("Spend", "/spend", "spend", "t"),
            Entry("Evidence", "/evidence", "evidence", "e"),
            Entry("Findings", "/findings", "findings", "f"),
        ),
    ),
    (
        "Set up",
        (
            Entry("Webhooks", "/webhooks", "webhooks", "w"),
            Entry("Schedules", "/schedules", "schedules", "h"),
            Entry("Settings", "/settings", "settings", "x"),
        ),
    ),
)


class Navigation:
    """The entries whose pages exist."""

    def __init__(self, table: Table) -> None:
        shown = ((title, tuple(entry for entry in entries if table.has(entry.path))) for title, entries in GROUPS)
        self.groups = tuple((title, entries) for title, entries in shown if entries)
        self.entries = tuple(entry for _, entries in self.groups for entry in entries)

    def current(self, path: str) -> Entry | None:
        """The entry that a page belongs to."""
        for entry in self.entries:
            if path == entry.path or any(_under(path, place) for place in (entry.path, *entry.also)):
                return entry
        return None


def _under(path: str, place: str) -> bool:
    return place != "/" and (path == place or path.startswith(place + "/"))
