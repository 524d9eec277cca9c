"""What a verification found."""

from __future__ import annotations

from typing import Any, NamedTuple

MOST_FINDINGS = 1000


class Finding(NamedTuple):
    """One thing that is not as it was recorded.

    `first` and `last` are entries of the chain (None for what has none); `kind` is one of

    - `changed`: the data of an event is not what was linked
    - `relinked`: who, what or when of an event is not what was linked, or its link was altered
    - `removed`: an event is gone, or its text, and nothing recorded says why
    - `missing`: entries are gone from the chain
    - `inserted`: an event stands among linked ones and was never linked
    - `rewritten`: the entries lead to another root than the checkpoint that covers them
    - `truncated`: a checkpoint covers more entries than there are
    - `signature`: a checkpoint is not signed by a key that is trusted
    - `key`: a key is not what it says, or nothing ties it to one that is trusted
    - `policy`: a policy or a set of policies is not the one that its hash names, or is gone
    - `row`: a live row differs from what was last recorded about it, is gone, or was never recorded
    """

    kind: str
    first: int | None
    last: int | None
    detail: str

    def __str__(self) -> str:
        where = "" if self.first is None else f"entry {self.first}: " if self.first == self.last else None
        return f"{f'entries {self.first} to {self.last}: ' if where is None else where}{self.detail}"


class Findings:
    """Collects findings; neighbours of one kind become one, and no more than a thousand are kept."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.left_out = 0

    def add(self, kind: str, seq: int | None, detail: str, until: int | None = None) -> None:
        """Note a finding at entry `seq`, or from it to `until`."""
        end = seq if until is None else until
        last = self.found[-1] if self.found else None
        follows = last is not None and last.last is not None and last.last + 1 == seq
        if last is not None and follows and last.kind == kind:
            self.found[-1] = last._replace(last=end)
        elif len(self.found) < MOST_FINDINGS:
            self.found.append(Finding(kind, seq, end, detail))
        else:
            self.left_out += 1


class Report(NamedTuple):
    """The result for one organisation.

    `entries` were checked; `unlinked` events came after the last entry (ids `tail_first` to `tail_last`) and are not
    protected yet. `erased` and `pruned` entries have lost their text by a recorded erasure or by retention.
    `checkpoints` were checked, the last of them over `covered` entries. `rows` live rows were compared.
    """

    org_id: str
    findings: tuple[Finding, ...]
    left_out: int
    entries: int
    root: str
    link: str
    unlinked: int
    tail_first: int | None
    tail_last: int | None
    erased: int
    pruned: int
    checkpoints: int
    covered: int
    rows: int

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def wire(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            **self._asdict(),
            "intact": self.intact,
            "findings": [{**finding._asdict(), "text": str(finding)} for finding in self.findings],
        }
