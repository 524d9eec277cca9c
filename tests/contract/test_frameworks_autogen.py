"""Without any AutoGen, with one too old, and with something else of its name: the error says what to install."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_frameworks import install, told

ASK = """
from dashclaw import DashClaw, MissingExtraError
from dashclaw.integrations.autogen import DashClawAutoGenIntegration
with DashClaw("http://127.0.0.1:9", "k", agent_id="a") as claw:
    try:
        {agent}
    except MissingExtraError as error:
        print(error)
"""
LINES = [
    ("autogen_agentchat", "BaseChatAgent", "autogen_agentchat", 'pip install "dashclaw[autogen]"', "0.4.9"),
    ("ag2", "Agent", "ag2", 'pip install "dashclaw[ag2]"', "1.0.0"),
    ("autogen", "ConversableAgent", "pyautogen", 'pip install "ag2<1"', "0.2.35"),
]
every_line = pytest.mark.parametrize(
    ("module", "kind", "distribution", "remedy", "floor"), LINES, ids=[row[0] for row in LINES]
)


def error_with(folder: Path, module: str, kind: str, version: str) -> str:
    (folder / f"{module}.py").write_text(f"__version__ = {version!r}\nclass {kind}: pass\n")
    return told(
        folder,
        ASK.format(agent=f"import {module}; DashClawAutoGenIntegration(claw).instrument_agent({module}.{kind}())"),
    )


def test_without_any(tmp_path: Path) -> None:
    found = told(tmp_path, ASK.format(agent="DashClawAutoGenIntegration(claw)"))
    assert '"dashclaw[autogen]"' in found
    assert '"dashclaw[ag2]"' in found
    assert "found: neither" in found


@every_line
def test_with_one_that_is_too_old(
    tmp_path: Path, module: str, kind: str, distribution: str, remedy: str, floor: str
) -> None:
    install(tmp_path, distribution, "0.1.0")
    found = error_with(tmp_path, module, kind, "0.1.0")
    assert remedy in found
    assert floor in found
    assert "found: 0.1.0" in found


@every_line
def test_with_something_else_of_its_name(
    tmp_path: Path, module: str, kind: str, distribution: str, remedy: str, floor: str
) -> None:
    install(tmp_path, distribution, "999.0")
    found = error_with(tmp_path, module, kind, "999.0")
    assert remedy in found
    assert floor in found
    assert "but" in found
