"""Which keys a checkpoint may be signed with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from .findings import Findings
from .keys import key_id, rotation_text, verifies

_verifies = lru_cache(maxsize=1024)(verifies)


class Trust:
    """The keys of a database, and those of them that are connected with keys known from elsewhere.

    Two keys are connected when both signed that one took the other's place. Without a key known from elsewhere every
    key is believed that is not at odds with itself.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], pinned: Sequence[str], findings: Findings) -> None:
        self._keys: dict[str, str] = {}
        self._findings = findings
        connected: list[tuple[str, str]] = []
        for row in rows:
            if key_id(row["public_key"]) != row["id"]:
                findings.add("key", None, f"The public key of {row['id'][:16]}… is another one")
                continue
            self._keys[row["id"]] = row["public_key"]
            if row["previous"] is None:
                continue
            if self._endorsed(row):
                connected.append((row["id"], row["previous"]))
            else:
                findings.add("key", None, f"Nothing shows that {row['id'][:16]}… took the place of an earlier key")
        self.trusted = _reached(set(pinned), connected) if pinned else set(self._keys)

    def _endorsed(self, row: Mapping[str, Any]) -> bool:
        previous, signatures = self._keys.get(row["previous"]), row["endorsement"]
        if previous is None or not isinstance(signatures, dict):
            return False
        text = rotation_text(row["id"], row["previous"], row["created_at"])
        pairs = ((previous, signatures.get("previous")), (row["public_key"], signatures.get("key")))
        return all(isinstance(signature, str) and _verifies(key, signature, text) for key, signature in pairs)

    def states(self, text: str, signature: str) -> dict[str, Any] | None:
        """What a checkpoint states; None, with a finding, when it is not signed by a trusted key."""
        try:
            stated = json.loads(text)
            size, signer = int(stated["size"]), str(stated["key"])
        except (ValueError, KeyError, TypeError):
            self._findings.add("signature", None, "A checkpoint cannot be read")
            return None
        public = self._keys.get(signer)
        if public is None or not _verifies(public, signature, text.encode()):
            self._findings.add("signature", size, f"The checkpoint over {size} entries is not signed by {signer[:16]}…")
            return None
        if signer not in self.trusted:
            self._findings.add("signature", size, f"The checkpoint over {size} entries is signed by an unknown key")
            return None
        found: dict[str, Any] = stated
        return found


def _reached(trusted: set[str], connected: Sequence[tuple[str, str]]) -> set[str]:
    while True:
        more = {key for pair in connected if trusted & set(pair) for key in pair} - trusted
        if not more:
            return trusted
        trusted = trusted | more
