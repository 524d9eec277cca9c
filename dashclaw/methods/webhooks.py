"""Webhooks: have events sent to an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence, Union

from .._call import Call, Caller, endpoint, path

if TYPE_CHECKING:
    from ..types import CreatedWebhook, DeletedWebhook, DeliveryPage, WebhookPage, WebhookTest


class WebhookMethods(Caller):
    """Methods of the category "Webhooks"."""

    @endpoint
    def get_webhooks(self, *, limit: Optional[int] = None, offset: Optional[int] = None) -> Call[WebhookPage]:
        """Return the organisation's webhooks, newest first: at most `limit` (50, up to 200), secrets masked."""
        return Call("GET", "/api/webhooks", query={"limit": limit, "offset": offset})

    @endpoint
    def create_webhook(
        self,
        url: str,
        events: Union[str, Sequence[str], None] = None,
        *,
        format: Optional[str] = None,  # noqa: A002 - its name on the wire
    ) -> Call[CreatedWebhook]:
        """Have events sent to a URL from now on; the secret that signs them is shown this once.

        `events` is "all" (the default), names such as "action.created", types of signals such as "stale_loop", or
        a list of these. `format` is plain, slack, discord or teams; without it the URL's host decides. Needs an
        admin's key. Raises `InvalidRequestError` for a URL that is not public and https, or an unknown event.
        """
        names = [events] if isinstance(events, str) else events
        return Call("POST", "/api/webhooks", body={"url": url, "events": names, "format": format})

    @endpoint
    def delete_webhook(self, webhook_id: str) -> Call[DeletedWebhook]:
        """Remove a webhook; what was not delivered yet is given up. Needs an admin's key."""
        return Call("DELETE", "/api/webhooks", query={"id": webhook_id})

    @endpoint
    def test_webhook(self, webhook_id: str) -> Call[WebhookTest]:
        """Send a test now and return how it went; a failed one is an answer too. Needs an admin's key.

        The other side has 10 seconds to answer.
        """
        return Call("POST", path("webhooks", webhook_id, "test"))

    @endpoint
    def get_webhook_deliveries(
        self,
        webhook_id: str,
        *,
        status: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
    ) -> Call[DeliveryPage]:
        """Return the deliveries of a webhook, newest first: at most `limit` (20, up to 200).

        `status` keeps one of pending, retrying, success and failed; what failed was given up.
        """
        asked = {"status": status, "limit": limit, "offset": offset}
        return Call("GET", path("webhooks", webhook_id, "deliveries"), query=asked)
