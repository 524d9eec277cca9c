"""The operations that are loaded first answer as all of them do."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from dashclaw.runtime.operations import Registry
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.services.governed import ELSEWHERE
from dashclaw.runtime.services.governed import OPERATIONS as FIRST
from dashclaw.runtime.services.table import OPERATIONS

PATHS = sorted({re.sub(r"\{\w+\}", "some", path) for found in OPERATIONS for path in (found.path, *found.also)})
LOADED_WITH_THE_FIRST = """
import sys
from dashclaw.runtime.operations import Registry
from dashclaw.runtime.services.governed import OPERATIONS
def every():
    raise AssertionError("all operations were loaded")
registry = Registry(OPERATIONS, every)
asked = (("POST", "/api/guard"), ("POST", "/api/actions"), ("GET", "/api/actions"), ("PATCH", "/api/actions/act_1"))
print([registry.match(*call)[0].name for call in asked])
assert "dashclaw.runtime.services.table" not in sys.modules
"""


def test_the_first_operations_answer_only_as_all_of_them_do() -> None:
    every = Registry(OPERATIONS, lambda: OPERATIONS)
    for path in PATHS:
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            found = answer(Registry(FIRST, lambda: OPERATIONS, ELSEWHERE), verb, path)
            assert found == answer(every, verb, path), (verb, path)


def answer(registry: Registry, verb: str, path: str) -> object:
    try:
        operation, params = registry.match(verb, path)
    except Problem as problem:
        return problem.status, problem.headers
    return operation.name, params


def test_a_governed_call_loads_no_other_operations() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED_WITH_THE_FIRST], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['guard', 'create_action', 'get_actions', 'update_outcome']"


def test_an_unknown_path_and_verb_are_told_of_by_all_operations() -> None:
    registry = Registry(FIRST, lambda: OPERATIONS)
    with pytest.raises(Problem, match="does not offer /api/nothing"):
        registry.match("GET", "/api/nothing")
    with pytest.raises(Problem, match="/api/actions takes GET, POST"):
        registry.match("DELETE", "/api/actions")
    assert registry.operations == OPERATIONS
