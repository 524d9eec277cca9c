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


_DESTROYING, _PAYING, _COMMANDING = Rating(85, False), Rating(80, False), Rating(70, True)
_TELLING, _CHANGING, _READING = Rating(60, False), Rating(45, True), Rating(10, True)
_UNKNOWN = Rating(50, True)
# What a word does wherever it stands in a name.
_VERBS: Tuple[Tuple[Rating, str], ...] = (
    (_DESTROYING, "delete destroy drop erase overwrite purge remove rm terminate truncate uninstall unlink wipe"),
    (_PAYING, "buy donate pay sell withdraw"),
    (_COMMANDING, "eval exec execute grant kill migrate reboot revoke shutdown sudo"),
    (_TELLING, "broadcast forward notify publish send"),
    (
        _CHANGING,
        "add apply approve archive assign ban cancel clear clone close copy create disable download draft edit",
    ),
    (_CHANGING, "enable insert invite join label leave lock make mark modify move pause put rename reopen reorder"),
    (_CHANGING, "replace reset restart restore resume save store submit subscribe tag toggle trigger undo unlock"),
    (_CHANGING, "unsubscribe upsert write"),
    (
        _READING,
        "analyze browse calculate calculator check classify compare convert count describe diff display explain",
    ),
    (
        _READING,
        "extract fetch find get glob grep inspect list load look lookup ls parse ping preview query read recall",
    ),
    (_READING, "retrieve screenshot search show snapshot summarize tail translate validate verify view weather"),
)
# What is a verb or the name of a thing: a thing after a verb that reads.
_VERBS_OR_THINGS: Tuple[Tuple[Rating, str], ...] = (
    (_PAYING, "charge order payment payout purchase refund trade transfer wire"),
    (_COMMANDING, "bash cmd command deploy release rollback run script shell sql terminal"),
    (_TELLING, "comment dm email mail message notification post reply sms tweet"),
    (_CHANGING, "book commit fork install merge patch push schedule set start stop sync update upload"),
)
_VERB: Dict[str, Rating] = {word: rating for rating, words in _VERBS for word in words.split()}
_VERB_OR_THING: Dict[str, Rating] = {word: rating for rating, words in _VERBS_OR_THINGS for word in words.split()}
# Verbs that also stand after their thing, as in `mail_search`.
_LOOKING = frozenset({"count", "fetch", "find", "get", "list", "lookup", "query", "read", "retrieve", "search", "view"})
# Whoever does this to a message tells nobody, nor whoever makes one of these of it.
_KEEPING = frozenset({"archive", "copy", "draft", "edit", "label", "mark", "modify", "move", "tag", "toggle", "update"})
_KEPT = frozenset({"draft", "drafts", "filter", "folder", "label", "labels", "signature", "template", "templates"})
# A conversation, and no money, is transferred to these.
_COLLEAGUES = frozenset({"agent", "assistant", "human", "supervisor", "team"})
_THEN = frozenset({"and", "or", "then"})
_NAMESPACES = re.compile(r"__|[/:]")
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
    found = max((_rated(words) for words in _deeds(name)), key=lambda rating: rating.risk_score)
    if found.risk_score < _INSTRUCTED and any(argument.lower() in _INSTRUCTING for argument in arguments):
        return found._replace(risk_score=_INSTRUCTED)
    return found


def _deeds(name: str) -> List[List[str]]:
    """Return the words of each thing that a tool does: `search_and_replace` does two; a server's name does none."""
    deeds: List[List[str]] = [[]]
    for word in words_of(_NAMESPACES.split(name)[-1]) or words_of(name):
        if word in _THEN:
            deeds.append([])
        else:
            deeds[-1].append(word)
    return [words for words in deeds if words] or [[]]


def _rated(words: List[str]) -> Rating:
    """Return the strictest of what the words mean: "mail" is a thing in `read_mail`, and a verb in `mail_report`."""
    found = [_VERB[word] for word in words if word in _VERB]
    for place, word in enumerate(words):
        rating = _VERB_OR_THING.get(word) or _VERB_OR_THING.get(word[:-1] if word.endswith("s") else "")
        if rating is not None and word not in _VERB and not _is_thing(rating, words, place):
            found.append(rating)
    return max(found, key=lambda rating: rating.risk_score) if found else _UNKNOWN


def _is_thing(rating: Rating, words: List[str], place: int) -> bool:
    """Whether the word at a place is what another one reads, keeps or hands over."""
    before, last = words[:place], words[-1]
    if any(_VERB.get(word) == _READING for word in before):
        return True
    if rating == _TELLING:
        return last in _LOOKING or last in _KEPT or not _KEEPING.isdisjoint(before)
    # But `run_search` runs something.
    return rating == _PAYING and (last in _LOOKING or (words[place] == "transfer" and last in _COLLEAGUES))


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
