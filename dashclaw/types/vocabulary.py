"""The words that fields are restricted to."""

from __future__ import annotations

from .._compat import Literal

GuardVerdict = Literal["allow", "warn", "require_approval", "block"]
ActionStatus = Literal["running", "completed", "failed", "cancelled", "pending", "pending_approval", "blocked"]
OutcomeStatus = Literal["running", "completed", "failed", "cancelled"]
Resolution = Literal["denied", "expired", "blocked"]
ApprovalStatus = Literal["pending", "approved", "denied", "expired"]
ApprovalAnswer = Literal["allow", "deny"]
LoopType = Literal["followup", "question", "dependency", "approval", "review", "handoff", "other"]
LoopStatus = Literal["open", "resolved", "cancelled"]
Priority = Literal["low", "medium", "high", "critical"]
ContextThreadStatus = Literal["active", "closed"]
Severity = Literal["red", "amber"]
Role = Literal["admin", "member", "readonly"]
GuardMode = Literal["off", "warn", "enforce"]
HitlMode = Literal["off", "wait"]
GuardFailure = Literal["closed", "open"]
MessageType = Literal["action", "info", "lesson", "question", "status"]
MessageStatus = Literal["sent", "read", "archived"]
MessageThreadStatus = Literal["open", "resolved"]
Urgency = Literal["low", "normal", "medium", "high", "critical"]
DeliveryStatus = Literal["pending", "retrying", "success", "failed"]
WebhookFormat = Literal["plain", "slack", "discord", "teams"]
EpisodeLabel = Literal["success", "failure", "pending"]
RecommendationEventType = Literal["fetched", "applied", "overridden", "outcome"]
