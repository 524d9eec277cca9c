"""The frameworks that come with the package."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

FRAMEWORKS = ("soc2", "iso27001", "gdpr", "nist-ai-rmf", "imda-agentic")
FULL, PARTIAL = "full", "partial"
_FOLDER = Path(__file__).parents[1] / "data" / "frameworks"


class Demand(NamedTuple):
    """One way to meet a control: a kind of policy about some tools, and how far it goes.

    `*` among the tools means any policy of that kind.
    """

    pattern: str
    tools: tuple[str, ...]
    coverage: str

    @property
    def any_tool(self) -> bool:
        """Whether every policy of the kind meets it."""
        return self.tools == ("*",)


class Control(NamedTuple):
    """One control of a framework; meeting any demand fully covers it."""

    control_id: str
    title: str
    category: str
    description: str
    agent_relevance: str
    evidence: str
    recommendations: tuple[str, ...]
    demands: tuple[Demand, ...]


class Framework(NamedTuple):
    """A framework and its controls."""

    id: str
    name: str
    version: str
    description: str
    controls: tuple[Control, ...]

    def tools(self) -> frozenset[str]:
        """Every tool that a demand names."""
        return frozenset(tool for control in self.controls for demand in control.demands for tool in demand.tools)


@lru_cache
def load(name: str) -> Framework:
    """Read one of `FRAMEWORKS`."""
    found = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    controls = tuple(
        Control(
            **{key: control[key] for key in Control._fields if key not in ("recommendations", "demands")},
            recommendations=tuple(control["recommendations"]),
            demands=tuple(
                Demand(demand["pattern"], tuple(demand["tools"]), demand["coverage"]) for demand in control["mappings"]
            ),
        )
        for control in found["controls"]
    )
    return Framework(found["id"], found["name"], found["version"], found["description"], controls)
