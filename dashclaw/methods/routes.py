"""Any route of the server, for what has no method of its own."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from .._call import Call, Caller, endpoint

_VERBS = ("GET", "POST", "PATCH", "PUT", "DELETE")


class RouteMethods(Caller):
    """The generic request."""

    @endpoint
    def request(
        self,
        verb: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[Mapping[str, Any]] = None,
    ) -> Call[Dict[str, Any]]:
        """Send a request to any route and return the JSON object of the answer.

        `path` starts with "/api/", its parts are quoted already, and a query goes into `query`. Raises `ValueError`
        for another one.
        """
        if verb not in _VERBS:
            raise ValueError(f"The verb is one of {', '.join(_VERBS)}, not {verb!r}")
        parts = path.split("/")
        if not path.startswith("/api/") or not path.isascii() or not path.isprintable() or set(path) & set(" ?#"):
            raise ValueError(f'The path starts with "/api/" and is quoted, without query: {path!r}')
        if not all(parts[1:]) or {".", ".."} & set(parts):
            raise ValueError(f"The path has an empty part, or steps upwards: {path!r}")
        return Call(verb, path, query=query, body=body)
