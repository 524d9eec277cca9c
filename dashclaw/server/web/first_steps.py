"""What a newcomer pastes: the shortest governed program of each framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from starlette.requests import Request


class Framework(NamedTuple):
    """A way to begin: its name, what to install, and the program."""

    label: str
    install: str
    program: str


_CLIENT = """from dashclaw import DashClaw

claw = DashClaw(base_url="{url}", api_key="{key}", agent_id="my-first-agent")
"""

FRAMEWORKS = {
    "python": Framework(
        "Python",
        "pip install dashclaw",
        _CLIENT
        + """
with claw.track(action_type="deploy", declared_goal="Try DashClaw", risk_score=20):
    print("governed")
""",
    ),
    "langchain": Framework(
        "LangChain",
        'pip install "dashclaw[langchain]"',
        _CLIENT
        + """
from dashclaw.integrations.langchain import DashClawCallbackHandler

handler = DashClawCallbackHandler(claw)
# agent.invoke({{"messages": [...]}}, config={{"callbacks": [handler]}})
""",
    ),
    "crewai": Framework(
        "CrewAI",
        'pip install "dashclaw[crewai]"',
        _CLIENT
        + """
from dashclaw.integrations.crewai import DashClawCrewIntegration

integration = DashClawCrewIntegration(claw)
# integration.instrument_crew(crew)
""",
    ),
    "openai-agents": Framework(
        "OpenAI Agents",
        'pip install "dashclaw[openai-agents]"',
        _CLIENT
        + """
from dashclaw.integrations.openai_agents import govern_agent

# govern_agent(agent, claw), and run the agent as before
""",
    ),
}
_PLACE_OF_KEY = "your-agent-key"


def snippet(framework: str, url: str, key: str | None) -> str:
    """The program of a framework, with the address of this server and the key where one was just made."""
    return FRAMEWORKS[framework].program.format(url=url, key=key or _PLACE_OF_KEY)


def address(request: Request) -> str:
    """How this server was reached."""
    return f"{request.url.scheme}://{request.url.netloc}"
