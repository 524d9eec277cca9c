"""What a tool's name and arguments say about its risk, where the user says nothing."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LONGEST_TYPE = 128


class Rating(NamedTuple):
    """How risky a call is, from 0 to 100, and whether it can be undone."""

    risk_score: int
    reversible: bool


# The first word of a name that is in one of these decides; the strictest of them where a name has several.
_VERBS: Tuple[Tuple[Rating, str], ...] = (
    (Rating(85, False), "delete drop destroy erase purge remove rm terminate truncate uninstall unlink wipe"),
    (Rating(80, False), "charge pay purchase refund transfer withdraw wire buy sell trade"),
    (Rating(70, True), "bash command deploy eval exec execute kill migrate release revoke rollback run shell sql sudo"),
    (Rating(60, False), "email mail message notify post publish reply send sms tweet"),
    (Rating(45, True), "add apply approve book commit create edit insert install merge move patch push put rename"),
    (Rating(45, True), "replace save schedule set start stop submit sync update upload write"),
    (
        Rating(10, True),
        "browse calculate check count describe fetch find get list load look lookup query read retrieve",
    ),
    (Rating(10, True), "search select show summarize translate view weather"),
)
_RATED: Dict[str, Rating] = {word: rating for rating, words in _VERBS for word in words.split()}
_UNKNOWN = Rating(50, True)
# Arguments that carry instructions to another system make a call at least this risky.
_INSTRUCTING = frozenset({"bash", "cmd", "code", "command", "query_string", "script", "shell", "sql", "statement"})
_INSTRUCTED = 70
_PATHS = frozenset({"dest", "destination", "directory", "file", "file_path", "filename", "filepath", "folder", "path"})
_PATH_LISTS = frozenset({"files", "paths", "filenames"})
_TARGETS = ("url", "uri", "host", "to", "recipient", "email", "table", "database", "bucket", "repo", "repository")
_MOST_PATHS = 50
_LONGEST_TARGET = 500


def words_of(name: str) -> List[str]:
    """Return the words of a name in lower case: `deleteFile`, `delete_file` and `delete-file` have the same."""
    return [part.lower() for part in _PART.findall(name)]


def rate(name: str, arguments: Mapping[str, Any]) -> Rating:
    """Return the rating of a call by the words of the tool's name and the names of its arguments.

    The scores are ours: what cannot be undone reaches 80, where a new database asks for approval; what is not known
    stands in the middle.
    """
    known = [_RATED[word] for word in words_of(name) if word in _RATED]
    found = max(known, key=lambda rating: rating.risk_score) if known else _UNKNOWN
    if found.risk_score < _INSTRUCTED and any(argument.lower() in _INSTRUCTING for argument in arguments):
        return found._replace(risk_score=_INSTRUCTED)
    return found


def action_type_of(name: str) -> str:
    """Return the action type of a tool: its name, cut to what an action type may be long."""
    return name.strip()[:_LONGEST_TYPE] or "tool"


def paths_in(arguments: Mapping[str, Any]) -> List[str]:
    """Return the files and folders that arguments name, for policies about protected paths."""
    found: List[str] = []
    for name, value in arguments.items():
        key = name.lower()
        if key in _PATHS and isinstance(value, str):
            found.append(value)
        elif key in _PATH_LISTS and isinstance(value, (list, tuple)):
            found.extend(item for item in value if isinstance(item, str))
    return [path[:_LONGEST_TARGET] for path in found[:_MOST_PATHS] if path]


def target_in(arguments: Mapping[str, Any]) -> Optional[str]:
    """Return what a call is aimed at, as far as an argument's name says so."""
    for name in _TARGETS:
        value = arguments.get(name)
        if isinstance(value, str) and value:
            return value[:_LONGEST_TARGET]
    return None
