"""Answers of the category "Webhooks"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .vocabulary import DeliveryStatus, WebhookFormat


class Webhook(TypedDict):
    """Where events are sent; `secret` shows its last four characters, and all of it only when it is made.

    `retry_at` is when it is tried again after failures; ten in a row disable it.
    """

    id: str
    org_id: str
    url: str
    secret: str
    events: List[str]
    format: WebhookFormat
    active: bool
    failure_count: int
    retry_at: Optional[str]
    disabled_at: Optional[str]
    disabled_reason: Optional[str]
    last_triggered_at: Optional[str]
    metadata: Optional[Dict[str, Any]]
    created_by: str
    created_at: str
    updated_at: str


class WebhookPage(TypedDict):
    """A page of webhooks, newest first."""

    webhooks: List[Webhook]
    total: int
    limit: int
    offset: int
    has_more: bool


class CreatedWebhook(TypedDict):
    """A new webhook with its secret."""

    webhook: Webhook
    secret_warning: str


class DeletedWebhook(TypedDict):
    """The id of the webhook that was removed."""

    success: bool
    deleted: str


class WebhookTest(TypedDict):
    """How a test went; `response_status` is None when nobody answered, and `error` then says why."""

    success: bool
    response_status: Optional[int]
    error: Optional[str]
    duration_ms: int
    delivery_id: str


class Delivery(TypedDict):
    """One event on its way to a webhook, or there; `event_id` is None for a test."""

    id: str
    webhook_id: str
    event_id: Optional[int]
    event_type: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: Optional[str]
    give_up_at: str
    response_status: Optional[int]
    response_body: Optional[str]
    error: Optional[str]
    attempted_at: Optional[str]
    duration_ms: Optional[int]
    created_at: str


class DeliveryPage(TypedDict):
    """A page of deliveries, newest first."""

    deliveries: List[Delivery]
    total: int
    limit: int
    offset: int
    has_more: bool
