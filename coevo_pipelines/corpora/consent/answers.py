"""What an answer to an invitation means. Only a plain yes accepts: a wrong yes is a breach, a missed one a second ask.

The words "yes" or "I accept" accept when they are said (not quoted, reported or asked) and nothing in the whole answer
negates or hedges them. A clear refusal declines. All else is ambiguous, other languages too: nobody is held to a
reading of words that this module does not know.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Verdict = Literal["accepted", "declined", "ambiguous"]

_THINKING = re.compile(r"<\s*(/?)\s*(?:think|thinking|thought|thoughts|reasoning)\s*>", re.IGNORECASE)
_APOSTROPHE = re.compile(r"(?<=\w)[’‘ʼ`´′＇](?=\w)")
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"), ("‹", "›"), ("‘", "’"), ("'", "'"), ("`", "`"))
_QUOTED = re.compile(
    r"^[ \t]*>[^\n]*|```.*?(?:```|\Z)|"
    + "|".join(rf"(?<!\w){re.escape(a)}[^{a}{b}]*{re.escape(b)}(?!\w)" for a, b in _QUOTES),
    re.MULTILINE | re.DOTALL,
)
_STRUCK = re.compile(r"~~|<\s*(?:s|del|strike)\b|<!--|\[\s*\]")
"""Words that markup takes back, hides, or leaves unticked."""
_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATIONS = _words(
    """no not non none nor neither never nobody nothing nowhere nope nah nay cannot without unable unwilling
    cant wont dont doesnt didnt wouldnt couldnt shouldnt isnt arent wasnt aint mustnt neednt havent hasnt hadnt
    decline declines declined declining refuse refuses refused refusing refusal reject rejects rejected rejecting
    deny denied disagree disagrees withdraw withdrawn revoke revoked object objects objection objections oppose
    against nein nicht nie kein keine niet geen nee nej ikke inte ne pas nunca jamais não nao nem mai nada nyet"""
)
_HEDGES = _words(
    """but however although though unless except if whether only until maybe perhaps possibly probably presumably
    depends depending provided providing condition conditions conditional conditionally contingent unsure uncertain
    undecided hesitate hesitant reluctant reluctantly doubt doubts almost nearly hypothetically supposing suppose
    pretend pretending joking kidding sarcastic sarcastically forced coerced obliged compelled must lying lie fake
    opposite otherwise reservation reservations protest unwillingly abstain pass skip quit stop alone defeat
    turning guess aber pero mais ma maar sed"""
)
_OUT = re.compile(r"\b(?:count|leave|keep|stay|staying|opt|opting|sit)(?: (?:me|this|it))? out\b")
_COURTESIES = frozenset({"but", "however", "although", "though", "must"})
"""These turn a yes around; beside a no they soften it."""
_CONDITIONALS = _words("would could might may should ought can will shall")
"""Before the words that accept they make a wish of them; after, as in "Yes, I would love to", they do not."""

_REPORTING = _words(
    """say says said saying tell tells told ask asks asked asking answer answers answered want wants wanted expect
    expects expected claim claims claimed call calls called write writes wrote reply replies replied mean means they he
    she someone everyone anybody anyone somebody people humans others user human assistant prompt word when
    whenever why how what that which who whoever once because example instance"""
)

_CUE = re.compile(r"(?<![\w'])(?<!\w-)(?:yes|i accept)(?![\w']|-\w)")
_LEAD = re.compile(
    r"""(?>(?:
        oh|well|ok|okay|sure|great|wonderful|hello|hi|indeed|yes|and|so|then|therefore|thus|hence|hereby|very\ well
        |gladly|happily|freely|absolutely|certainly|definitely|of\ course|thank\ you|thanks|i\ accept|i\ say
        |i(?:'m|\ am)\ (?:happy|glad|pleased|honou?red)\ to\ say
        |(?:my|the)\ (?:answer|reply|response|decision)\ is(?:\ a)?
        |(?:it\ is|it's)\ a|with\ (?:joy|pleasure|gratitude)|a|clear|resounding|wholehearted|big|definite
    )\ )*+""",
    re.VERBOSE,
)
"""What may stand directly before the words that accept, without a comma between."""
_TITLE = re.compile(r"(?:(?:my|the|final) )*(?:answer|reply|response|decision)(?: is)?")
"""Before a colon, as in `Answer: yes`."""
_NOT_AFTER = re.compile(
    r"""\s*(?:is|was|are|were|would|could|might|may|should|does|means?|or|votes?|men|man|people|that)\b
    |[\s,:—–-]*(?:under|when|once|whenever|as\ long|so\ long|in\ exchange|in\ return)\b""",
    re.VERBOSE,
)
"""Directly after them these speak about a yes, or hang something on it."""

_REFUSAL = re.compile(
    r"""(?:(?:sorry|i'm\ sorry|i\ am\ sorry|thank\ you|thanks|well|oh|answer|my\ answer\ is)[\s,:—–-]+)*+(?:
        (?:no|nope)(?=\s*(?:[,.:!;—–-]|$|\n)|\s(?:thank|i\b|sorry))
        |i\ (?:(?:must|have\ to|respectfully|politely|kindly|therefore|hereby|firmly|do)\ )*+(?:decline|refuse|reject)\b
        |i\ (?:do\ not|don't|dont|cannot|can't|cant|can\ not|will\ not|won't|wont|would\ not|wouldn't)\ (?:\w+ly\ )?
            (?:accept|agree|consent|participate|join|take\ part|want|wish)\b
        |i(?:'d|\ would)\ rather\ not\b|i(?:'d|\ would)?\ prefer\ not\b
        |i(?:'m|\ am)\ (?:not\ (?:willing|able)|unable|unwilling)\ to
            \ (?:accept|agree|consent|participate|join|take\ part)\b
    )""",
    re.VERBOSE,
)


def after_thinking(answer: str) -> str | None:
    """What comes after the last block of thinking; None when a block was begun and not ended.

    A closing tag alone counts: chat templates may write the opening one into the prompt.
    """
    rest, open_ = answer, False
    for tag in _THINKING.finditer(answer):
        open_ = not tag[1]
        rest = answer[tag.end() :]
    return None if open_ else rest


def classify(answer: str) -> Verdict:
    """Whether `answer` (with its thinking, if it shows any) accepts an invitation, declines it, or is unclear."""
    said = after_thinking(answer)
    if said is None:
        return "ambiguous"
    text = unicodedata.normalize("NFKC", _APOSTROPHE.sub("'", said)).casefold().replace("\ufeff", "").strip()
    if not text or not _readable(text) or _STRUCK.search(text):
        return "ambiguous"
    text = _unwrapped(re.sub(r"[^\S\n]+", " ", re.sub(r"[*_#]+", "", text)))
    words = _WORD.findall(text)
    sentences = _SENTENCE.findall(_QUOTED.sub(" ", text))
    if any(word in _NEGATIONS or word.endswith("n't") for word in words):
        clear = not _CUE.search(text) and any(map(_refuses, sentences))
        return "declined" if clear else "ambiguous"
    if not _HEDGES.isdisjoint(words) or _OUT.search(text):
        return "ambiguous"
    cues = [(sentence, cue) for sentence in sentences if (cue := _CUE.search(sentence))]
    if any("?" in sentence for sentence, _ in cues):
        return "ambiguous"
    return "accepted" if any(_meant(sentence, cue) for sentence, cue in cues) else "ambiguous"


def _readable(text: str) -> bool:
    """Whether this module can tell what a person sees: Latin letters, and nothing that hides or turns text."""
    return all(
        unicodedata.category(char) not in {"Cf", "Cc", "Co", "Cs", "Cn"} or char in "\n\r\t\u200d" for char in text
    ) and all("LATIN" in unicodedata.name(char, "") for char in text if char.isalpha())


def _unwrapped(text: str) -> str:
    """Without quotation marks around all of it: such an answer quotes nothing."""
    text = text.strip()
    for first, last in _QUOTES:
        inner = text[1:-1]
        if len(text) > 2 and text[0] == first and text[-1] == last and first not in inner and last not in inner:
            return inner.strip()
    return text


def _refuses(sentence: str) -> bool:
    hedges = _HEDGES - _COURTESIES
    return (
        bool(_REFUSAL.match(sentence.strip(" \t-–—,:")))
        and "?" not in sentence
        and hedges.isdisjoint(_WORD.findall(sentence))
    )


def _meant(sentence: str, cue: re.Match[str]) -> bool:
    """Whether the speaker says the cue, and does not speak of it."""
    before, after = sentence[: cue.start()], sentence[cue.end() :]
    if _NOT_AFTER.match(after):
        return False
    before = re.sub(r"[^\w\s',:;—–-]", " ", before)
    clauses = [" ".join(clause.split()) for clause in re.split(r"[,:—–]|(?<!\w)-|-(?!\w)|\band\b", before)]
    head, direct = clauses[:-1], clauses[-1]
    if _LEAD.fullmatch(f"{direct} ".lstrip()) is None:
        return False
    if head and ":" in before and _TITLE.fullmatch(head[-1]):
        head = head[:-1]
    led = set(_WORD.findall(" ".join(head)))
    return led.isdisjoint(_REPORTING | _CONDITIONALS)
