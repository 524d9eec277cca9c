"""The cookies of the dashboard: signed, so that what was made elsewhere never reaches the database."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, Signer, URLSafeSerializer, URLSafeTimedSerializer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SESSION = "dashclaw_session"
VISITOR = "dashclaw_visitor"
NOTICE = "dashclaw_notice"
THEME = "dashclaw_theme"
DEVICE = "dashclaw_device"
WAY = "dashclaw_way"
_DEVICE_SECONDS = 90 * 24 * 3600
_WAY_SECONDS = 600
_YEAR = 365 * 24 * 3600


class Cookies:
    """Reads and writes cookies; they are `Secure`, and bound to the host by their name, where the page is."""

    def __init__(self, secret: str) -> None:
        self._session = Signer(secret, salt="session")
        self._visitor = Signer(secret, salt="visitor")
        self._notice = URLSafeSerializer(secret, salt="notice")
        self._device = URLSafeTimedSerializer(secret, salt="device")
        self._way = URLSafeTimedSerializer(secret, salt="way")

    def session(self, request: Request) -> str | None:
        """The token of the session."""
        return _read(self._session, request.cookies.get(_name(request, SESSION)))

    def set_session(self, request: Request, response: Response, token: str) -> None:
        """Give the browser the token of its session."""
        _set(request, response, SESSION, self._session.sign(token).decode())

    def visitor(self, request: Request) -> str | None:
        """The id of one who is not signed in yet."""
        return _read(self._visitor, request.cookies.get(_name(request, VISITOR)))

    def set_visitor(self, request: Request, response: Response, visitor: str) -> None:
        """Give the browser an id for its form of sign-in."""
        _set(request, response, VISITOR, self._visitor.sign(visitor).decode())

    def notice(self, request: Request) -> str | None:
        """What the page before wanted to be told."""
        try:
            found = self._notice.loads(request.cookies.get(_name(request, NOTICE), ""))
        except BadSignature:
            return None
        return found if isinstance(found, str) else None

    def set_notice(self, request: Request, response: Response, text: str) -> None:
        """Tell something on the next page."""
        _set(request, response, NOTICE, str(self._notice.dumps(text[:500])))

    def device(self, request: Request, account: str) -> str | None:
        """What tells this browser from others, where somebody signed in to this account with it in the last 90 days."""
        found = _load(self._device, request.cookies.get(_name(request, DEVICE)), _DEVICE_SECONDS)
        known = isinstance(found, list) and len(found) == 2 and found[0] == account
        return str(found[1]) if known else None

    def set_device(self, request: Request, response: Response, account: str) -> None:
        """Remember that somebody signed in to an account with this browser."""
        value = str(self._device.dumps([account, secrets.token_urlsafe(12)]))
        _set(request, response, DEVICE, value, max_age=_DEVICE_SECONDS)

    def way(self, request: Request) -> list[str] | None:
        """What is remembered of one who left for a provider at most ten minutes ago: four texts."""
        found = _load(self._way, request.cookies.get(_name(request, WAY)), _WAY_SECONDS)
        return found if isinstance(found, list) and len(found) == 4 else None

    def set_way(self, request: Request, response: Response, way: list[str]) -> None:
        """Remember something of one who leaves for a provider."""
        _set(request, response, WAY, str(self._way.dumps(way)), max_age=_WAY_SECONDS)

    def drop_way(self, request: Request, response: Response) -> None:
        """Forget who left for a provider."""
        self.drop(request, response, WAY)

    def drop(self, request: Request, response: Response, *names: str) -> None:
        """Take cookies away."""
        for name in names:
            response.delete_cookie(_name(request, name), path="/", **_flags(request))


def theme(request: Request) -> str | None:
    """ "light" or "dark" where somebody chose; None follows the system."""
    found = request.cookies.get(THEME)
    return found if found in ("light", "dark") else None


def set_theme(request: Request, response: Response, chosen: str) -> None:
    """Remember a theme; anything else than light and dark follows the system again."""
    if chosen in ("light", "dark"):
        response.set_cookie(THEME, chosen, max_age=_YEAR, path="/", **_flags(request))
    else:
        response.delete_cookie(THEME, path="/", **_flags(request))


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if _secure(request) else name


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _flags(request: Request) -> dict[str, Any]:
    return {"httponly": True, "samesite": "lax", "secure": _secure(request)}


def _set(request: Request, response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(_name(request, name), value, max_age=max_age, path="/", **_flags(request))


def _load(serializer: URLSafeTimedSerializer, value: str | None, max_age: int) -> Any:
    try:
        return serializer.loads(value, max_age=max_age) if value else None
    except BadSignature:
        return None


def _read(signer: Signer, value: str | None) -> str | None:
    try:
        return signer.unsign(value).decode() if value else None
    except (BadSignature, UnicodeError):
        return None
