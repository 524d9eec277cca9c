"""The risk score: what it is made of, and that the higher of the two numbers counts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dashclaw.runtime.guard import score_risk

BASES = {
    "security": 80,
    "deploy": 75,
    "migrate": 70,
    "apply": 60,
    "sync": 40,
    "api": 35,
    "config": 30,
    "cleanup": 30,
    "build": 25,
    "post": 25,
    "fix": 20,
    "refactor": 20,
    "other": 20,
    "test": 15,
    "message": 15,
    "monitor": 10,
    "alert": 10,
    "calendar": 10,
    "research": 10,
    "review": 10,
}


@pytest.mark.parametrize(("action_type", "base"), BASES.items())
def test_the_base_by_type(action_type: str, base: int) -> None:
    assert score_risk({"action_type": action_type})[0] == base


@pytest.mark.parametrize(
    ("action_type", "base"),
    [("Deploy", 75), (" deploy ", 75), ("deploy.web", 75), ("deploy:eu", 75), ("deployment", 20), ("", 20), (None, 20)],
)
def test_the_family_of_a_type(action_type: str | None, base: int) -> None:
    assert score_risk({"action_type": action_type})[1]["base"] == base


def test_everything_at_once_and_its_breakdown() -> None:
    score, breakdown = score_risk(
        {
            "action_type": "api",
            "reversible": False,
            "systems_touched": ["production_db", "shell", "redis"],
            "declared_goal": "Drop the table of passwords, then deploy.",
            "risk_score": 30,
        }
    )
    assert score == 100
    assert breakdown == {
        "base": 35,
        "irreversible": 15,
        "systems": 15,
        "goal": 45,
        "server": 100,
        "client": 30,
    }


@pytest.mark.parametrize(
    ("systems", "points"),
    [
        (["production"], 10),
        (["production_db"], 10),
        (["my-postgres-1", "Redis"], 10),
        (["neon.tech"], 10),
        (["filesystem"], 5),
        (["shell", "filesystem"], 5),
        (["database", "shell"], 15),
        ("postgres", 10),
        (["databases"], 0),
        (["reproduction"], 0),
        (["prod-api", "customer-db"], 0),
        ([None, 4, ["production"]], 0),
        (7, 0),
    ],
)
def test_touched_systems(systems: Any, points: int) -> None:
    assert score_risk({"systems_touched": systems})[1]["systems"] == points


@pytest.mark.parametrize(
    ("goal", "points"),
    [
        ("Drop legacy user table", 20),
        ("DROP\nlegacy", 20),
        ("deleting rows; drop table", 20),
        ("raindrop counter", 0),
        ("Deploy the app", 10),
        ("Ship v2.0", 0),
        ("Deployment of release 4", 10),
        ("Rotate the password", 15),
        ("Rotate the API key", 15),
        ("Copy api_keys and access-tokens", 15),
        ("Report token usage", 0),
        ("Find the key insight", 0),
        ("Publish and purge the secrets", 45),
        ("\uff24\uff32\uff2f\uff30 table", 20),
        ("dropbox für alle", 0),
        ("x" * 600 + " drop", 20),
        ("", 0),
        (9, 0),
    ],
)
def test_the_wording_of_the_goal(goal: Any, points: int) -> None:
    assert score_risk({"declared_goal": goal})[1]["goal"] == points


@pytest.mark.parametrize(("reversible", "points"), [(False, 15), (0, 15), (True, 0), (1, 0), (None, 0), ("no", 0)])
def test_irreversible(reversible: Any, points: int) -> None:
    assert score_risk({"reversible": reversible})[1]["irreversible"] == points


@pytest.mark.parametrize(
    ("client", "score", "told"),
    [
        (None, 20, None),
        (5, 20, 5),
        (60, 60, 60),
        (60.9, 60, 60),
        (-5, 20, 0),
        (10**30, 100, 100),
        (math.inf, 100, 100),
        (-math.inf, 20, 0),
        (math.nan, 100, 100),
        (True, 20, None),
        ("90", 20, None),
    ],
)
def test_the_callers_number(client: Any, score: int, told: int | None) -> None:
    found, breakdown = score_risk({"action_type": "other", "risk_score": client})
    assert (found, breakdown["client"]) == (score, told)
    assert type(found) is int
