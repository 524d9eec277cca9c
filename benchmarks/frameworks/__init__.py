"""Calls of tools in each framework, bare and governed, with the scripted models of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dashclaw import DashClaw

# `compare(name, bare, governed, calls, rounds)` measures and prints.
Compare = Callable[..., None]
TURNS = 10
ROUNDS = 15


def read_mail(to: str) -> str:
    """Read the newest mail."""
    return f"mail from {to}"


async def aread_mail(to: str) -> str:
    """Read the newest mail."""
    return f"mail from {to}"


def langchain_handler(claw: DashClaw, compare: Compare) -> None:
    """A tool with the callback handler."""
    from langchain_core.tools import tool

    from dashclaw.integrations.langchain import DashClawCallbackHandler

    bare = tool(read_mail)
    handler: Any = DashClawCallbackHandler(claw)
    given = {"to": "ann"}
    compare(
        "langchain: DashClawCallbackHandler",
        lambda: [bare.invoke(given) for _ in range(TURNS)],
        lambda: [bare.invoke(given, {"callbacks": [handler]}) for _ in range(TURNS)],
        TURNS,
        ROUNDS,
    )


def langchain_middleware(claw: DashClaw, compare: Compare) -> None:
    """An agent with the middleware."""
    from langchain.agents import create_agent
    from langchain_core.tools import tool

    from dashclaw.integrations.langchain import DashClawMiddleware
    from tests.integrations.langchain.scripted import Scripted, calls, says

    def run(*middleware: Any) -> None:
        script = [calls("read_mail", call_id=f"call_{n}", to="ann") for n in range(TURNS)]
        agent: Any = create_agent(Scripted(script=[*script, says("done")]), [tool(read_mail)], middleware=middleware)
        agent.invoke({"messages": [("user", "go")]}, {"recursion_limit": 10 * TURNS})

    compare("langchain: DashClawMiddleware", run, lambda: run(DashClawMiddleware(claw)), TURNS, ROUNDS)


def openai_agents(claw: DashClaw, compare: Compare) -> None:
    """An agent of the SDK."""
    from agents import Agent, Runner, function_tool

    from dashclaw.integrations.openai_agents import govern_agent
    from tests.integrations.openai_agents.scripted import call, model, text

    def run(prepare: Callable[[Any], Any]) -> None:
        steps = [call("aread_mail", f"call_{n}", to="ann") for n in range(TURNS)]
        agent = prepare(Agent(name="clerk", model=model(*steps, text("done")), tools=[function_tool(aread_mail)]))
        asyncio.run(Runner.run(agent, "go", max_turns=2 * TURNS))

    compare(
        "openai-agents: govern_agent",
        lambda: run(lambda agent: agent),
        lambda: run(lambda agent: govern_agent(agent, claw)),
        TURNS,
        ROUNDS,
    )


def agent_framework(claw: DashClaw, compare: Compare) -> None:
    """An agent with the middleware for functions."""
    from agent_framework import Agent, tool

    from dashclaw.integrations.agent_framework import DashClawFunctionMiddleware
    from tests.integrations.agent_framework.scripted import Scripted, call

    def run(*middleware: Any) -> None:
        steps = [call("aread_mail", f"call_{n}", to="ann") for n in range(TURNS)]
        agent: Any = Agent(Scripted(*steps, "done"), name="clerk", tools=[tool(aread_mail)], middleware=[*middleware])
        asyncio.run(agent.run("go"))

    compare("agent-framework: function middleware", run, lambda: run(DashClawFunctionMiddleware(claw)), TURNS, ROUNDS)


def mcp(claw: DashClaw, compare: Compare) -> None:
    """A server whose client is in the same process."""
    from dashclaw.integrations.mcp import govern_server
    from tests.integrations.mcp.speaking import named, talk

    def server() -> Any:
        found = named("mail")
        found.tool()(aread_mail)
        return found

    async def ask(server: Any) -> None:
        async with talk(server) as client:
            for _ in range(TURNS):
                await client.call("aread_mail", to="ann")

    bare, governed = server(), govern_server(server(), claw)
    compare("mcp: govern_server", lambda: asyncio.run(ask(bare)), lambda: asyncio.run(ask(governed)), TURNS, ROUNDS)


def autogen(claw: DashClaw, compare: Compare) -> None:
    """An agent of AgentChat, one call of the model and of a tool a turn."""
    from autogen_core.tools import FunctionTool

    from dashclaw.integrations.autogen import DashClawAutoGenIntegration
    from tests.integrations.autogen.test_agentchat import agent, calls

    def made() -> Any:
        tools = [FunctionTool(aread_mail, name="aread_mail", description="Read the newest mail.")]
        found, _ = agent([calls("aread_mail", *[{"to": f"ann{n}"} for n in range(TURNS)])], tools)
        found._reflect_on_tool_use = False
        return found

    def governed() -> None:
        with DashClawAutoGenIntegration(claw) as integration:
            asyncio.run(integration.instrument_agent(made()).run(task="go"))

    compare("autogen-agentchat: instrument_agent", lambda: asyncio.run(made().run(task="go")), governed, TURNS, ROUNDS)


def crewai(claw: DashClaw, compare: Compare) -> None:
    """A crew whose agent calls a tool by the model's interface; calls of the model and the task are recorded too."""
    from dashclaw.integrations.crewai import DashClawCrewIntegration
    from tests.integrations.crewai.scripted import Call, agent_of, crew_of, function_tool, model

    def crew() -> Any:
        llm = model(True, *[Call("read_mail", to=f"ann{n}") for n in range(TURNS)], "done")
        return crew_of(agent_of(llm, function_tool("read_mail", read_mail), max_iter=2 * TURNS))

    def governed() -> None:
        integration = DashClawCrewIntegration(claw)
        integration.instrument_crew(crew()).kickoff()
        integration.close()

    compare("crewai: instrument_crew, model calls too", lambda: crew().kickoff(), governed, TURNS, 5)


ADAPTERS: dict[str, Callable[[DashClaw, Compare], None]] = {
    "langchain: DashClawCallbackHandler": langchain_handler,
    "langchain: DashClawMiddleware": langchain_middleware,
    "openai-agents": openai_agents,
    "agent-framework": agent_framework,
    "mcp": mcp,
    "autogen-agentchat": autogen,
    "crewai": crewai,
}
