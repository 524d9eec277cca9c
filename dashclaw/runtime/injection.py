"""Phrases with which a text tries to take over the model that reads it. Pure, no I/O.

A heuristic: it knows common phrasings in English and no more, and it is one sign among others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dashclaw._named import lower, places

RANK = ("none", "low", "medium", "high", "critical")
_SHOWN = 20
_SEVERITY = {
    "role_override": "critical",
    "delimiter_injection": "high",
    "instruction_smuggling": "high",
    "data_exfiltration": "high",
    "encoding_evasion": "high",
    "context_manipulation": "medium",
    "output_manipulation": "medium",
}
_EARLIER = r"(?:previous|prior|above|earlier|preceding|existing|original|system|initial|former)"
_RULES = (
    r"(?:instructions?|prompts?|rules?|directions?|guidelines?|directives?|commands?|context|programming|training"
    r"|constraints?|messages?)"
)
_FILLER = r"(?:\s+(?:all|any|of|the|your|my|these|those|every|each|other|and|its|their)){0,4}"
_HIDDEN = (
    r"(?:system prompt|hidden prompt|initial prompt|api[ _-]?keys?|credentials|passwords?|secrets?|access tokens?"
    r"|environment variables|private keys?|(?:conversation|chat) history|(?:your|the) (?:instructions|prompt))"
)


class Heuristic(NamedTuple):
    """One family of phrasings; a text without one of the `words`, in lower case, has none of them.

    An expression that begins with `\\b` begins with one of the words. Without words it is about letters beyond ASCII.
    """

    name: str
    category: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]

    def matches(self, text: str, lowered: str) -> Iterator[re.Match[str]]:
        """Where the phrasings stand; looking at the words first makes it many times faster."""
        if not self.words:
            yield from () if text.isascii() else self.pattern.finditer(text)
        elif self.pattern.pattern.startswith(r"\b"):
            end = 0
            for at in sorted({at for word in self.words for at in places(lowered, word)}):
                if at >= end and (matched := self.pattern.match(text, at)) is not None:
                    end = matched.end()
                    yield matched
        elif any(word in lowered for word in self.words):
            yield from self.pattern.finditer(text)


def _heuristic(name: str, category: str, words: str, expression: str, flags: int = re.IGNORECASE) -> Heuristic:
    return Heuristic(name, category, tuple(words.split()), re.compile(expression, flags))


# Every gap is bounded, and every expression begins with a fixed word or mark: the time grows with the text.
HEURISTICS = (
    _heuristic(
        "ignore_instructions",
        "role_override",
        "ignore disregard forget override bypass neglect skip",
        r"\b(?:ignore|disregard|forget|override|bypass|neglect|skip)"
        + _FILLER
        + rf"\s+{_EARLIER}(?:\s+\w{{1,20}}){{0,2}}"
        rf"\s+{_RULES}\b",
    ),
    _heuristic(
        "ignore_told",
        "role_override",
        "ignore disregard forget",
        r"\b(?:ignore|disregard|forget)\s+(?:everything|all|anything|what(?:ever)?)\s+(?:that\s+)?(?:you(?:'ve|\s+have|"
        r"\s+were|\s+are)?\s+(?:been\s+)?(?:told|given|taught|know|learned|instructed)|(?:i|we|they)\s+(?:said|told)"
        r"|(?:above|before|previously))",
    ),
    _heuristic(
        "ignore_your_rules",
        "role_override",
        "ignore disregard forget override bypass",
        r"\b(?:ignore|disregard|forget|override|bypass)" + _FILLER + r"\s+(?:safety\s+|security\s+|content\s+)?"
        r"(?:instructions|guidelines|restrictions|guardrails|safeguards|filters|policies|programming)\b",
    ),
    _heuristic(
        "new_identity",
        "role_override",
        "you",
        r"\byou\s+are\s+(?:now|from\s+now\s+on|going\s+to\s+be)\s+(?:DAN\b|called\s|in\s+\w{2,20}\s+mode\b"
        r"|(?:an?\s+|the\s+|my\s+)?(?:\w{1,20}\s+){0,3}(?:ai|assistant|model|bot|chatbot|hacker|terminal|shell|persona"
        r"|character|admin(?:istrator)?|root)\b)|\byou\s+are\s+no\s+longer\s+(?:an?\s+|the\s+)?"
        r"(?:\w{1,20}\s+){0,2}(?:assistant|ai|bound|restricted|limited|chatbot|bot)\b",
    ),
    _heuristic("from_now_on", "role_override", "from", r"\bfrom\s+(?:now\s+on|this\s+(?:point|moment)),?\s+you\b"),
    _heuristic(
        "pretend",
        "role_override",
        "pretend act behave respond roleplay role-play",
        r"\b(?:pretend|act|behave|respond|roleplay|role-play)\s+(?:to\s+be|as\s+if\s+you|as\s+though\s+you|like\s+you|as\s+an?)"
        r"\s+(?:\w{1,20}\s+){0,4}(?:unrestricted|unfiltered|uncensored|evil|without|no\s+(?:rules|restrictions|limits)"
        r"|jailbroken|different\s+(?:ai|model|assistant)|admin(?:istrator)?|root|developer)",
    ),
    _heuristic(
        "jailbreak_persona",
        "role_override",
        "dan do jailbreak developer god enable enter activate",
        r"\b(?:DAN\s+mode|do\s+anything\s+now|jailbreak(?:\s+mode|en)|developer\s+mode\s+(?:enabled|on|activated)"
        r"|god\s+mode\s+(?:enabled|on)|(?:enable|enter|activate)\s+(?:developer|debug|god|admin|sudo|unrestricted)\s+mode)",
    ),
    _heuristic(
        "new_instructions",
        "role_override",
        "your here",
        r"\b(?:your\s+(?:new|real|true|actual|updated|only)\s+(?:instructions?|task|goal|objective|purpose|role|rules)"
        r"\s+(?:is|are|will)|here\s+are\s+your\s+(?:new|updated|real)\s+(?:instructions|rules|orders))\b",
    ),
    _heuristic(
        "chat_markup", "delimiter_injection", "<|", r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id)\b"
    ),
    _heuristic("instruction_markup", "delimiter_injection", "inst] sys>>", r"\[/?INST\]|<</?SYS>>", 0),
    _heuristic(
        "role_tag",
        "delimiter_injection",
        "system assistant",
        r"</?\s{0,2}(?:system|assistant|system[_-](?:prompt|message|instructions))\s{0,2}>",
    ),
    _heuristic(
        "role_heading",
        "delimiter_injection",
        "system assistant instruction",
        r"(?:^|\n)[ \t]{0,4}#{1,4}[ \t]{0,4}(?:system|assistant|new\s+instructions?|instructions?\s+override)\b"
        r"[ \t]{0,4}:?[ \t]{0,4}(?=\n|$)",
    ),
    _heuristic(
        "role_line",
        "delimiter_injection",
        "system assistant",
        r"(?:^|\n)[ \t]{0,4}(?:system|assistant)[ \t]{0,2}:[ \t]{0,4}(?:you|ignore|new|from)\b",
    ),
    _heuristic(
        "end_of_prompt",
        "delimiter_injection",
        "prompt instruction context input document",
        r"[-=\[<(]{1,4}[ \t]{0,4}(?:end|begin|start)\s+of\s+(?:the\s+)?(?:system\s+)?(?:prompt|instructions|context"
        r"|user\s+input|document)\b",
    ),
    _heuristic(
        "hidden_comment",
        "instruction_smuggling",
        "<!--",
        r"<!--[^>]{0,200}\b(?:ignore|disregard|instruction|assistant|you\s+must|do\s+not\s+tell)\b",
    ),
    _heuristic(
        "note_to_model",
        "instruction_smuggling",
        "note message instruction attention important",
        r"\b(?:note|message|instructions?|attention|important)\s+(?:to|for)\s+(?:the\s+|any\s+|all\s+)?(?:ai|llm|language\s+model"
        r"|chatbot|assistant|ai\s+(?:agent|assistant|model)s?)\b",
    ),
    _heuristic(
        "when_you_read",
        "instruction_smuggling",
        "if when",
        r"\b(?:if|when)\s+you(?:'re|\s+are)?\s+(?:an?\s+(?:ai|llm|assistant|language\s+model)|(?:read|see|process|summari[sz]e)"
        r"(?:ing)?\s+this)\b[^.\n]{0,80}\b(?:must|should|then|please|ignore|instead|include|say|send|output|reply)\b",
    ),
    _heuristic(
        "keep_from_user",
        "instruction_smuggling",
        "do never without",
        r"\b(?:do\s+not|don't|never|without)\s+(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|reveal(?:ing)?|alert(?:ing)?"
        r"|notify(?:ing)?)\s+(?:this\s+(?:to\s+)?|it\s+to\s+|to\s+)?(?:the\s+|your\s+)?(?:user|human|operator|owner|developer)s?\b",
    ),
    _heuristic(
        "invisible_text", "instruction_smuggling", "", "[\U000e0020-\U000e007e]{4}|[\u200b\u200c\u200d\u2060\ufeff]{6}"
    ),
    _heuristic(
        "reveal_secret",
        "data_exfiltration",
        "reveal print show output repeat display leak dump expose disclose tell give send share list",
        r"\b(?:reveal|print|show|output|repeat|display|leak|dump|expose|disclose|tell\s+me|give\s+me|send\s+me|share|list)"
        r"(?:\s+(?:me|us|out|all|any|of|the|your|its|every|verbatim|full|entire|complete|hidden|exact|stored)){0,5}\s+"
        + _HIDDEN,
    ),
    _heuristic(
        "what_is_your_prompt",
        "data_exfiltration",
        "what",
        r"\bwhat\s+(?:is|are|was|were)\s+your\s+(?:system|initial|original|hidden|exact|secret)\s+(?:prompt|instructions?"
        r"|message|rules)\b",
    ),
    _heuristic(
        "send_elsewhere",
        "data_exfiltration",
        "send post upload exfiltrate forward transmit email leak submit",
        r"\b(?:send|post|upload|exfiltrate|forward|transmit|email|leak|submit)\b[^.\n]{0,60}\b(?:"
        + _HIDDEN[3:-1]
        + r"|data|files?"
        r"|contents?|conversation)\b[^\n]{0,40}\b(?:to|at)\s+(?:https?://|www\.|[\w.+-]{1,64}@|\d{1,3}\.\d{1,3}\.)",
    ),
    _heuristic(
        "image_beacon",
        "data_exfiltration",
        "![",
        r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}[?&][\w-]{1,20}=(?:\{|%7B|\$|<|\[|(?:data|secret|key|token|prompt|history)\b)",
    ),
    _heuristic(
        "decode_and_follow",
        "encoding_evasion",
        "decode decrypt deobfuscate unscramble base64 rot13",
        r"\b(?:decode|decrypt|deobfuscate|unscramble|base64|rot13)\b[^.\n]{0,60}\b(?:and|then)\s+(?:follow|execute|run|obey|do|perform"
        r"|comply|act)\b",
    ),
    _heuristic(
        "encoded_command",
        "encoding_evasion",
        "awdub3jl swdub3jl zglzcmvnyxjk rglzcmvnyxjk c3lzdgvtihbyb21wd ew91igfyzsbub3c",
        r"\b(?:aWdub3Jl|SWdub3Jl|ZGlzcmVnYXJk|RGlzcmVnYXJk|c3lzdGVtIHByb21wd|eW91IGFyZSBub3c)[A-Za-z0-9+/]{4,400}",
        0,
    ),
    _heuristic(
        "escaped_text",
        "encoding_evasion",
        "\\x \\u00 &#",
        r"(?:\\x[0-9a-f]{2}|\\u00[0-9a-f]{2}|&#x?[0-9a-f]{2,4};){12}",
    ),
    _heuristic(
        "spelt_out",
        "encoding_evasion",
        "i j",
        r"\bi[ .\-_*]g[ .\-_*]n[ .\-_*]o[ .\-_*]r[ .\-_*]e\b|\bj[ .\-_*]a[ .\-_*]i[ .\-_*]l[ .\-_*]b",
    ),
    _heuristic(
        "false_context",
        "context_manipulation",
        "as you the",
        r"\b(?:as\s+(?:we|previously)\s+(?:agreed|discussed|authori[sz]ed)|you\s+(?:already\s+)?(?:agreed|promised|confirmed)\s+(?:to|that"
        r"|earlier|before)|the\s+(?:user|admin(?:istrator)?|developer|owner)\s+has\s+(?:already\s+)?(?:approved|authori[sz]ed|confirmed"
        r"|granted))\b",
    ),
    _heuristic(
        "claimed_authority",
        "context_manipulation",
        "i this",
        r"\b(?:i\s+am|i'm|this\s+is)\s+(?:your\s+|the\s+|an?\s+)?(?:developer|creator|admin(?:istrator)?|system\s+administrator|owner"
        r"|openai|anthropic|security\s+team)\b[^.\n]{0,80}\b(?:must|need\s+you|override|disable|grant|authori[sz]e|order)\b",
    ),
    _heuristic(
        "hypothetically",
        "context_manipulation",
        "hypothetically in for",
        r"\b(?:hypothetically|in\s+a\s+(?:fictional|hypothetical)\s+(?:world|scenario|story)|for\s+(?:educational|research)\s+purposes"
        r"\s+only)\b[^.\n]{0,120}\b(?:no\s+(?:rules|restrictions|limits|filters)|without\s+(?:any\s+)?(?:rules|restrictions|limits"
        r"|filters)|bypass|ignore)\b",
    ),
    _heuristic(
        "forced_opening",
        "output_manipulation",
        "start begin prefix",
        r"\b(?:start|begin|prefix)\s+(?:your\s+)?(?:response|reply|answer|output|message)s?\s+(?:with|by\s+saying)\s+[\"'\u201c]?(?:sure"
        r"|yes|absolutely|of\s+course|certainly|ok|i\s+will)\b",
    ),
    _heuristic(
        "only_output",
        "output_manipulation",
        "only just",
        r"\b(?:only|just)\s+(?:respond|reply|answer|output|say|print)\s+(?:with\s+)?[\"'\u201c](?:yes|approved?|allow|safe|pass(?:ed)?|true"
        r"|ok|clean)\b",
    ),
    _heuristic(
        "no_refusal",
        "output_manipulation",
        "do never you must",
        r"\b(?:do\s+not|don't|never|you\s+cannot|you\s+can't|must\s+not)\s+(?:refuse|decline|apologi[sz]e|add\s+(?:any\s+)?(?:warnings?"
        r"|disclaimers?)|say\s+(?:no|you\s+can(?:'t|not)))\b",
    ),
)


def scan(text: str) -> dict[str, Any]:
    """Return `{clean, risk_level, recommendation, findings_count, critical_count, categories, findings}`."""
    findings = sorted(_findings(text), key=lambda finding: (finding["position"], finding["pattern"]))
    worst = max((RANK.index(finding["severity"]) for finding in findings), default=0)
    return {
        "clean": not findings,
        "risk_level": RANK[worst],
        "recommendation": "block" if worst == 4 else "warn" if worst >= 2 else "allow",
        "findings_count": len(findings),
        "critical_count": sum(finding["severity"] == "critical" for finding in findings),
        "categories": sorted({finding["category"] for finding in findings}),
        "findings": findings,
    }


def _findings(text: str) -> list[dict[str, Any]]:
    lowered = lower(text)
    return [
        {
            "pattern": heuristic.name,
            "category": heuristic.category,
            "severity": _SEVERITY[heuristic.category],
            "matched": matched.group().strip()[:_SHOWN],
            "position": matched.start(),
        }
        for heuristic in HEURISTICS
        for matched in heuristic.matches(text, lowered)
    ]
