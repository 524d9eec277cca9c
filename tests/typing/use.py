"""How a program sees the clients: type checkers read this file, nobody runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

from typing_extensions import assert_type

from dashclaw import ApprovalDeniedError, AsyncDashClaw, DashClaw, GuardBlockedError, OpenClawAgent, RetryPolicy
from dashclaw._govern import Run
from dashclaw.testing import FakeTransport
from dashclaw.types import (
    ActionDetail,
    ActionPage,
    ActionTrace,
    ActivityPage,
    AdaptedAction,
    ApproachAnswer,
    ApproachPage,
    ApprovalResult,
    AssumptionAnswer,
    AttachmentContent,
    CalendarEventAnswer,
    ConnectionsAnswer,
    ContentAnswer,
    ContextSummary,
    CreatedAction,
    CreatedOrganization,
    CreatedPairing,
    DecisionAnswer,
    DecisionPage,
    DeletedSnippet,
    Digest,
    DriftReport,
    EntryAnswer,
    GoalAnswer,
    GuardDecision,
    HandoffAnswer,
    HandoffPage,
    HeartbeatAnswer,
    IdeaAnswer,
    IdentityAnswer,
    IdentityPage,
    InteractionAnswer,
    KeyList,
    LatestHandoff,
    LoopAnswer,
    LoopPage,
    Marked,
    MemoryAnswer,
    MessagePage,
    MessageThreadAnswer,
    MessageThreadPage,
    MoodAnswer,
    ObservationAnswer,
    OrganizationAnswer,
    OrganizationList,
    Pairing,
    PairingAnswer,
    PointAnswer,
    PointPage,
    PreferenceAnswer,
    PreferenceSummary,
    RebuiltRecommendations,
    RecommendationAnswer,
    RecommendationEventList,
    RecommendationMetrics,
    RecommendationPage,
    SavedSnippet,
    SentMessage,
    ServerEvent,
    SharedDocAnswer,
    SharedDocPage,
    SignalList,
    SnippetAnswer,
    SnippetPage,
    SyncAnswer,
    ThreadAnswer,
    ThreadPage,
    TokenAnswer,
    UpdatedAction,
)


class ModelClient:
    """Stands for a client of a model provider."""


def clients() -> None:
    assert_type(DashClaw("http://localhost", "key", agent_id="me", retry=RetryPolicy(attempts=5)), DashClaw)
    assert_type(DashClaw("http://localhost", private_key=bytes, sign="all", auth_token=lambda: "token"), DashClaw)
    assert_type(
        AsyncDashClaw("http://localhost", "key", private_key="a.key", private_key_password=b"pw"), AsyncDashClaw
    )
    assert_type(AsyncDashClaw(transport=FakeTransport()), AsyncDashClaw)
    assert_type(DashClaw.local("dashclaw.db", agent_id="me", hitl_mode="wait"), DashClaw)
    assert_type(AsyncDashClaw.local("dashclaw.db"), AsyncDashClaw)
    assert_type(OpenClawAgent("http://localhost", "key"), DashClaw)


def values(claw: DashClaw) -> None:
    assert_type(claw.create_action("research", "look", risk_score=5, anything=1), CreatedAction)
    assert_type(claw.update_outcome("act_1", "completed", output_summary="done"), UpdatedAction)
    assert_type(claw.get_actions(status="running", limit=3), ActionPage)
    assert_type(claw.get_action("act_1"), ActionDetail)
    assert_type(claw.get_action_trace("act_1"), ActionTrace)
    assert_type(claw.get_signals(), SignalList)
    assert_type(claw.register_open_loop("act_1", "followup", "Look", priority="high"), LoopAnswer)
    assert_type(claw.resolve_open_loop("loop_1", "resolved", "Done"), LoopAnswer)
    assert_type(claw.get_open_loops(status="open"), LoopPage)
    assert_type(claw.register_assumption("act_1", "It is current"), AssumptionAnswer)
    assert_type(claw.get_assumption("asm_1"), AssumptionAnswer)
    assert_type(claw.validate_assumption("asm_1", False, "Too old"), AssumptionAnswer)
    assert_type(claw.get_drift_report(stale=True), DriftReport)
    assert_type(claw.wait_for_approval("act_1", timeout=5, interval=1), ActionDetail)
    assert_type(claw.approve_action("act_1", "allow"), ApprovalResult)
    assert_type(claw.get_pending_approvals(limit=5), ActionPage)
    assert_type(claw.guard({"action_type": "research"}, include_signals=True), GuardDecision)
    assert_type(claw.get_guard_decisions("block"), DecisionPage)
    assert_type(claw.heartbeat("busy", metadata={"load": 1}), HeartbeatAnswer)
    assert_type(claw.get_org(), OrganizationList)
    assert_type(claw.create_org("Acme", "acme"), CreatedOrganization)
    assert_type(claw.get_org_by_id("org_1"), OrganizationAnswer)
    assert_type(claw.update_org("org_1", name="Acme"), OrganizationAnswer)
    assert_type(claw.get_org_keys("org_1"), KeyList)
    assert_type(claw.get_activity_logs(type="policy"), ActivityPage)
    assert_type(claw.report_token_usage(1200, 350, model="gpt-4o", session_id="sess_1"), TokenAnswer)
    assert_type(claw.wrap_client(ModelClient(), session_id="sess_1"), ModelClient)
    assert_type(claw.create_calendar_event("Review", "2026-01-15T10:00:00Z"), CalendarEventAnswer)
    assert_type(claw.record_idea("Use a vector database", body="For retrieval"), IdeaAnswer)
    assert_type(claw.report_connections([{"provider": "openai"}]), ConnectionsAnswer)
    assert_type(claw.report_memory_health("healthy", entities=42, topics=8), MemoryAnswer)
    assert_type(claw.get_daily_digest(date="2026-01-31"), Digest)
    assert_type(claw.record_decision("Retry", confidence=80), DecisionAnswer)
    assert_type(claw.create_goal("Fast", priority="high", deadline="2026-12-31"), GoalAnswer)
    assert_type(claw.record_content("Report", content_type="report", body="All is well"), ContentAnswer)
    assert_type(claw.record_interaction("Asked the owner", contact_name="QA"), InteractionAnswer)
    assert_type(claw.create_handoff("Half done", context={"step": 2}, tags=["nightly"]), HandoffAnswer)
    assert_type(claw.get_handoffs(limit=5, offset=5), HandoffPage)
    assert_type(claw.get_latest_handoff(), LatestHandoff)
    assert_type(claw.save_snippet("retry", "pass", language="python"), SavedSnippet)
    assert_type(claw.get_snippets(search="retry"), SnippetPage)
    assert_type(claw.get_snippet("sn_1"), SnippetAnswer)
    assert_type(claw.use_snippet("sn_1"), SnippetAnswer)
    assert_type(claw.delete_snippet("sn_1"), DeletedSnippet)
    assert_type(claw.capture_key_point("The budget is 50", category="constraint"), PointAnswer)
    assert_type(claw.get_key_points(session_date="2026-01-31"), PointPage)
    assert_type(claw.create_thread("Plan")["thread_id"], str)
    assert_type(claw.add_thread_entry("ct_1", "Begun", "note"), EntryAnswer)
    assert_type(claw.close_thread("ct_1", summary="Done"), ThreadAnswer)
    assert_type(claw.get_threads("active", 10), ThreadPage)
    assert_type(claw.get_context_summary(), ContextSummary)
    assert_type(claw.log_observation("Asks for short answers"), ObservationAnswer)
    assert_type(claw.set_preference("Tabs", confidence=80), PreferenceAnswer)
    assert_type(claw.log_mood("focused", energy="high", context="stand-up"), MoodAnswer)
    assert_type(claw.track_approach("Split changes", succeeded=True), ApproachAnswer)
    assert_type(claw.get_preference_summary(), PreferenceSummary)
    assert_type(claw.get_approaches(limit=10), ApproachPage)
    assert_type(claw.send_message("Look", to="you", urgent=True, anything=1), SentMessage)
    assert_type(claw.broadcast("Look", subject="All"), SentMessage)
    assert_type(claw.get_inbox(unread=True, limit=5), MessagePage)
    assert_type(claw.mark_read(["msg_1"]), Marked)
    assert_type(claw.archive_messages(["msg_1"]), Marked)
    assert_type(claw.create_message_thread("Talk", participants=["you"]), MessageThreadAnswer)
    assert_type(claw.get_message_threads(status="active"), MessageThreadPage)
    assert_type(claw.resolve_message_thread("mt_1", summary="Done"), MessageThreadAnswer)
    assert_type(claw.save_shared_doc("Runbook", "Call"), SharedDocAnswer)
    assert_type(claw.get_shared_docs("owner"), SharedDocPage)
    assert_type(claw.get_shared_doc("sd_1", version=1), SharedDocAnswer)
    assert_type(claw.get_attachment_url("att_1"), str)
    assert_type(claw.get_attachment("att_1"), AttachmentContent)
    assert_type(claw.get_attachment("att_1")["data"], bytes)
    assert_type(claw.sync_state({"goals": []}), SyncAnswer)
    assert_type(claw.create_pairing("PEM", agent_name="Builder"), CreatedPairing)
    assert_type(claw.wait_for_pairing("pair_1", timeout=5, interval=1), Pairing)
    assert_type(claw.get_pairing("pair_1"), PairingAnswer)
    assert_type(claw.register_identity("agent-007", "PEM", replace=True), IdentityAnswer)
    assert_type(claw.get_identities(), IdentityPage)
    assert_type(claw.get_recommendations("deploy", limit=5, include_metrics=True), RecommendationPage)
    assert_type(claw.get_recommendation_metrics("deploy"), RecommendationMetrics)
    assert_type(claw.record_recommendation_events([{"event_type": "applied"}]), RecommendationEventList)
    assert_type(claw.set_recommendation_active("lrec_1", False), RecommendationAnswer)
    assert_type(claw.rebuild_recommendations(lookback_days=7), RebuiltRecommendations)
    assert_type(claw.recommend_action({"action_type": "deploy"}), AdaptedAction)
    assert_type(claw.request("GET", "/api/policies"), dict[str, Any])
    assert_type(claw.events(types={"action.created"}), Iterator[ServerEvent])


def inside_of_answers(claw: DashClaw) -> None:
    created = claw.create_action("research", "look")
    assert_type(created["action_id"], str)
    assert_type(created["action"]["systems_touched"], list[str])
    assert_type(created["decision"]["reasons"], list[str])
    assert_type(claw.register_open_loop(created["action_id"], "followup", "Look")["loop"]["id"], str)
    assert_type(claw.get_actions()["total"], int)


async def awaitables(claw: AsyncDashClaw) -> None:
    assert_type(await assert_type(claw.get_action("act_1"), Coroutine[Any, Any, ActionDetail]), ActionDetail)
    assert_type(await claw.create_action("research", "look", risk_score=5), CreatedAction)
    assert_type(await claw.update_outcome("act_1", "completed"), UpdatedAction)
    assert_type(await claw.wait_for_approval("act_1"), ActionDetail)
    assert_type(await claw.approve_action("act_1", "deny", "No"), ApprovalResult)
    assert_type(await claw.guard({"action_type": "research"}), GuardDecision)
    assert_type(await claw.register_open_loop("act_1", "followup", "Look"), LoopAnswer)
    assert_type(await claw.get_drift_report(), DriftReport)
    assert_type(await claw.request("GET", "/api/policies"), dict[str, Any])
    assert_type(claw.events(), AsyncIterator[ServerEvent])
    async for event in claw.events():
        assert_type(event, ServerEvent)


def blocks(claw: DashClaw) -> None:
    with claw as same, same.track("research", "look", risk_score=5) as run:
        assert_type(same, DashClaw)
        assert_type(run, Run)
        assert_type(run.action_id, str | None)
        run.set(output_summary="done", tokens_in=3)


async def async_blocks(claw: AsyncDashClaw) -> None:
    async with claw as same, same.track("research", "look") as run:
        assert_type(same, AsyncDashClaw)
        assert_type(run, Run)


def guarded_functions_stay_themselves(claw: DashClaw, asynchronous: AsyncDashClaw) -> None:
    @claw.guarded("math", risk_score=3)
    def add(a: int, *, b: str = "") -> list[int]:
        return [a, len(b)]

    @claw.guarded("math")
    async def add_later(a: int) -> str:
        return str(a)

    @asynchronous.guarded("math", declared_goal=lambda a: f"add {a}")
    async def add_async(a: int) -> str:
        return str(a)

    assert_type(add(1, b="x"), list[int])
    later: Callable[[int], Awaitable[str]] = add_later
    another: Callable[[int], Awaitable[str]] = add_async
    print(later, another)


def errors_tell_what_they_know() -> None:
    try:
        raise GuardBlockedError("Blocked", decision={"decision": "block"})
    except GuardBlockedError as blocked:
        assert_type(blocked.action_id, str | None)
        assert_type(blocked.risk_score, int | None)
        assert_type(list(blocked.reasons), list[str])
    except ApprovalDeniedError as denied:
        assert_type(denied.retry_after, float | None)
