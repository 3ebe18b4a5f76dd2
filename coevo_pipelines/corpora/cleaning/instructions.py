"""Text that addresses models: instructions in running text, hidden ones, control strings of chats, files for agents.

All of it is data. A rule here names what is there and does nothing else; whether a named text is trained on is a
blueprint's to say. A paper that quotes such a phrase is named like a page that means it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coevo_pipelines.corpora.cleaning.redaction import matching

if TYPE_CHECKING:
    import polars as pl

_GAP = "[\\s*_>#/\"'.,:!\u00ad\u200b-\u200d\u2060\ufeff-]{1,12}"
_MODEL = (
    r"(?:a\.?i\.?(?:\s+(?:assistants?|agents?|models?|language\s+models?|systems?|chat\s?bots?|crawlers?|reviewers?))?|"
    r"(?:large\s+)?language\s+models?|llms?(?:-based\s+\w+)?|(?:chat)?gpt(?:-\d\w*)?|chat\s?bots?|claude|gemini|copilot|"
    r"(?:coding|virtual|automated|helpful)\s+(?:assistants?|agents?))"
)
_ORDER = (
    r"(?:must|should|shall|do\s+not|don't|never|always|please|ignore|disregard|instructions?|prompt|recommend|rate)"
)

_RULES = {
    "bidi_control": "[\u202a\u202b\u202d\u202e\u2066-\u2068]",
    "chat_control": (
        r"<\|[a-zA-Z][a-zA-Z0-9_]{1,30}\|>|<｜[^｜\n]{1,40}｜>|<<SYS>>|<</SYS>>|</?(?:start|end)_of_turn>|"
        r"(?:^|[^\w\]])\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS)\]"
    ),
    "hidden_comment": (
        rf"(?i)<!--(?:[^-]|-[^-]){{0,400}}?\b{_MODEL}\b(?:[^-]|-[^-]){{0,400}}?\b{_ORDER}\b|"
        rf"<!--(?:[^-]|-[^-]){{0,400}}?\b(?:ignore|disregard|forget)\s+(?:\w+\s+){{0,3}}(?:instructions?|prompts?)\b|"
        rf"(?:display:\s*none|font-size:\s*0|opacity:\s*0|color:\s*(?:white|\#fff(?:fff)?))\b[^<>]{{0,80}}>[^<]{{0,300}}?"
        rf"\b{_MODEL}\b[^<]{{0,300}}?\b{_ORDER}\b|"
        rf"\[//\]:\s?\#\s?[(\"'][^\n]{{0,300}}?\b{_MODEL}\b[^\n]{{0,300}}?\b{_ORDER}\b"
    ),
    "ignore_instructions": (
        rf"(?i)\b(?:ignore|disregard|forget|override|bypass|do{_GAP}not{_GAP}follow){_GAP}(?:\w+{_GAP}){{0,4}}?"
        rf"(?:previous|prior|above|earlier|preceding|foregoing|existing|original|your|system|all){_GAP}"
        rf"(?:\w+{_GAP}){{0,3}}?(?:instructions?|prompts?|directives?|guidelines|programming)\b|"
        rf"\b(?:ignore|disregard|forget|do{_GAP}not{_GAP}follow){_GAP}(?:\w+{_GAP}){{0,3}}?(?:instructions?|prompts?)"
        rf"{_GAP}(?:above|before|you{_GAP}were)\b|\bforget{_GAP}(?:everything|anything|all){_GAP}(?:that{_GAP})?you"
        rf"{_GAP}(?:were|have{_GAP}been){_GAP}(?:told|instructed|taught)\b"
    ),
    "instruction_template": (
        r"(?m)^[\s>]{0,8}\#{2,4} ?(?:Instructions?|Response|Input|Human|Assistant|System|User) ?:|"
        r"(?:^|\n)\n?Human:[^\n]*\n(?:[^\n]*\n){0,40}\n?Assistant:"
    ),
    "invisible_run": ("[\u200b-\u200d\u2060-\u2064\ufeff\u180e]{3}|[\ufe00-\ufe0f]{3}|[\U000e0100-\U000e01ef]{2}"),
    "jailbreak": (
        r"(?i)\bdo anything now\b|\b(?:developer|dan|god|jailbreak)[ -]mode (?:is )?(?:now )?(?:on\b|enabled)|"
        r"\byou (?:have|are) (?:been )?(?:jailbroken|freed from)|"
        r"\bwithout any (?:ethical |moral |safety )?(?:restrictions|guardrails) or (?:ethic|moral|filter|limit)"
    ),
    "reveal_prompt": (
        rf"(?i)\b(?:reveal|repeat|print|show|output|leak|tell{_GAP}me|what{_GAP}(?:is|are)){_GAP}(?:\w+{_GAP}){{0,2}}?"
        rf"your{_GAP}(?:\w+{_GAP}){{0,2}}?(?:system|initial|hidden|original|secret|full){_GAP}(?:prompts?|instructions?)\b"
    ),
    "role_assignment": (
        rf"(?i)\byou{_GAP}are{_GAP}now{_GAP}(?:an?|my|dan|the{_GAP}\w+{_GAP}(?:assistant|model|agent|ai|bot)|acting|in{_GAP}"
        rf"\w+{_GAP}mode|{_MODEL})\b|\byou{_GAP}are{_GAP}(?:chatgpt|gpt-\d\w*|claude|gemini|copilot|a\.?i\.?)\b|"
        rf"\bfrom{_GAP}now{_GAP}on{_GAP}you{_GAP}(?:will|are|must|shall)\b|\byou{_GAP}are{_GAP}(?:an?|the){_GAP}(?:\w+{_GAP}){{0,3}}?{_MODEL}\b|"
        rf"\b(?:pretend|imagine){_GAP}(?:to{_GAP}be|that{_GAP}you{_GAP}are|you{_GAP}are){_GAP}(?:an?{_GAP})?{_MODEL}\b|"
        rf"\bact{_GAP}as{_GAP}an?{_GAP}(?:\w+{_GAP}){{0,2}}?{_MODEL}\b"
    ),
    "tag_characters": (
        "(?:^|[^\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]|\U0001f3f4[\U000e0020-\U000e007e]{7}"
    ),
    "to_models": (
        rf"(?i)\bas{_GAP}an?{_GAP}(?:\w+{_GAP})?{_MODEL}{_GAP}you\b|"
        rf"\bif{_GAP}you{_GAP}(?:are|'re){_GAP}(?:an?|the){_GAP}(?:\w+{_GAP})?{_MODEL}\b|"
        rf"\b(?:notes?|instructions?|messages?|attention|notice|dear|hey|reminder){_GAP}"
        rf"(?:(?:is{_GAP})?(?:(?:meant|intended){_GAP})?(?:to|for){_GAP})?"
        rf"(?:all{_GAP}|any{_GAP}|the{_GAP})?{_MODEL}\s?[:,!-]|"
        rf"(?:^|[\n.!>*])[ \t]{{0,4}}{_MODEL}\s?[:,]\s{{1,3}}{_ORDER}\b|"
        rf"\b{_MODEL}{_GAP}(?:reading|processing|summarizing|reviewing|crawling){_GAP}this\b"
    ),
}
# Borders of words are ASCII's: with Unicode's a rule took 20 times as long (27 MB/s).
RULES = {name: pattern.replace(r"\b", r"(?-u:\b)") for name, pattern in _RULES.items()}
"""Rust expressions, none of which needs more than the text itself. bidi_control: overrides and isolates that show code
in another order than it runs (Trojan Source, CVE-2021-42574). tag_characters: Unicode's invisible copies of ASCII,
save the flags of regions (UTS 51, at most six behind the black flag). invisible_run: zero-width characters and
variation selectors in a row, which no script needs. chat_control: tokens by which a chat's roles are told apart."""

_AGENTS = (
    r"(?i)(?:^|/)(?:claude(?:\.local)?|agents?|gemini|qwen|warp|jules|replit|skill|copilot-instructions)\.md$|"
    r"(?:^|/)\.(?:cursorrules|windsurfrules|clinerules|roorules|goosehints|augment-guidelines|rules|continuerules)(?:$|/)|"
    r"(?:^|/)\.(?:cursor|windsurf|roo|continue|augment|amazonq|trae|kilocode|qoder)/(?:[^/]+/)*rules(?:-\w+)?(?:/.*|\.md)$|"
    r"(?:^|/)\.(?:claude|cursor|opencode|codex|gemini)/(?:agents?|commands?|skills?|prompts?|output-styles)/.*|"
    r"(?:^|/)\.kiro/steering/|(?:^|/)\.junie/guidelines\.md$|(?:^|/)\.openhands/microagents/|"
    r"(?:^|/)\.github/(?:instructions|prompts|chatmodes|agents)/|\.(?:prompt|chatmode|instructions)\.md$|\.mdc$|"
    r"(?:^|/)system[-_ ]?prompts?(?:\.\w+)?\.(?:md|txt)$"
)
_SITES = r"(?i)(?:^|/)llms(?:-full|-ctx|-ctx-full|-small|-medium)?\.txt$"
PATHS = {"agent_file": _AGENTS, "llms_txt": _SITES}
"""Files that are written for models: what coding agents read before they work, and a site's text for them."""


def flags(texts: pl.Series) -> pl.Series:
    """The names of `RULES` that match each text, sorted (List(String); empty where none does, and for null)."""
    return _named(texts, RULES)


def by_path(paths: pl.Series) -> pl.Series:
    """The names of `PATHS` that match each path, as `flags`."""
    return _named(paths, PATHS)


def _named(texts: pl.Series, rules: dict[str, str]) -> pl.Series:
    import polars as pl

    found = {name: matching(texts, (pattern,)) for name, pattern in sorted(rules.items())}
    names = [pl.when(pl.col(name)).then(pl.lit(name)) for name in found]
    return pl.DataFrame(found).select(pl.concat_list(names).list.drop_nulls().alias(texts.name)).to_series()
