r"""The people of an authors line, such as arXiv's: `A. Author, B. C\'eline and D. Dur Jr. (1) ((1) Some place)`.

Pure. A name is given as it stands there, with its LaTeX decoded; affiliations are left out. A collaboration stands
for itself wherever it is listed like an author; in brackets it is an affiliation, as arXiv's own parser has it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from coevo_pipelines.traces.identifiers import decode_latex

_BETWEEN = re.compile(r"\s*[,;]\s*(?:(?:and|&)\s+)?|\s+(?:and|&)\s+")
_LEADING = re.compile(r"^(?:and|&)(?:\s+|$)")
_SUFFIX = re.compile(r"^(?:[JS]r\.?|I{2,3}|IV)$", re.IGNORECASE)
_OTHERS = re.compile(r"(?:^|\s+)(?:et\.?\s*al\b\.?|others)$", re.IGNORECASE)
_GROUP = r"(?:collaborations?|consortium|group|team)"
_FIRST = re.compile(r"([^,:;()]*):\s*")
_NAMES_GROUP = re.compile(rf"(?:^|\s){_GROUP}(?:\s|$)", re.IGNORECASE)
_GROUP_LAST = re.compile(rf"\b{_GROUP}$", re.IGNORECASE)
_FOR_GROUP = re.compile(rf",?\s+(?:for|on\s+behalf\s+of)\s+(?:the\s+)?(\S.*?\b{_GROUP})\s*$", re.IGNORECASE)
_FOR_FIRST = re.compile(r"^(?:for|on\s+behalf\s+of)\s+(?:the\s+)?", re.IGNORECASE)
_MARKS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
}  # fmt: skip
_LETTERS = {"o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å",
            "AA": "Å", "i": "ı", "j": "ȷ"}  # fmt: skip
_BASE = r"(?:[a-zA-Z]|\\[ij](?![a-zA-Z])\s*)"
_MARK = r"\\(?:[`'^~=.\"]\s*|[urHvdck](?:\s+|(?=\{)))"
_ACCENT = re.compile(rf"\{{{_MARK}{_BASE}\}}|{_MARK}\{{{_BASE}\}}|{_MARK}{_BASE}|\{{{_MARK}\{{{_BASE}\}}\}}")
_SPECIAL = re.compile(
    r"\{\\(o|O|l|L|ss|ae|AE|oe|OE|aa|AA|i|j)\}|\\(o|O|l|L|ss|ae|AE|oe|OE|aa|AA|i|j)(?:\{\}|\s+|(?![a-zA-Z]))"
)
_NOT_PLAIN = re.compile(r"[\\{}$~]")
_ESCAPED = re.compile(r"\\{2,3}(?=\S)")


def authors(line: str) -> list[str]:
    """The names in `line`, in its order; none for a line without any."""
    text = unescaped(" ".join(line.split()))
    if "(" in text or ")" in text:
        text = _without_brackets(text)
    return [decoded(name) for name in _names(text)]


def decoded(name: str) -> str:
    r"""Unicode for a name with LaTeX in it. Accents on single letters and the special letters are what there is in
    nearly all of them, and are read here: pylatexenc takes a millisecond for what this does in three microseconds."""
    if "\\" not in name:
        return decode_latex(name)
    plain = _SPECIAL.sub(_special, _ACCENT.sub(_accented, name))
    return decode_latex(name) if _NOT_PLAIN.search(plain) else " ".join(plain.split())


def _accented(found: re.Match[str]) -> str:
    accent = found[0].strip("{}")  # begins with a backslash and the mark
    return unicodedata.normalize("NFC", accent[2:].strip(" {}\\") + _MARKS[accent[1]])


def _special(found: re.Match[str]) -> str:
    return _LETTERS[found[1] or found[2]]


def unescaped(text: str) -> str:
    r"""With one backslash where a record came escaped twice (`\\'e`, `\\\"o`): names and titles hold no line break,
    which is what two of them would mean."""
    return _ESCAPED.sub(r"\\", text) if "\\\\" in text else text


def _names(text: str) -> Iterator[str]:
    group = None
    if ":" in text and (first := _FIRST.match(text)) and _NAMES_GROUP.search(first[1]):
        yield first[1].strip()
        text = text[first.end() :]
    text = text.rstrip()
    # The end is looked at first: else each of many `for` would be followed to the end in vain.
    has_last = (" for " in text or " behalf " in text) and _GROUP_LAST.search(text, max(0, len(text) - 20))
    if has_last and (last := _FOR_GROUP.search(text)):
        group, text = last[1], text[: last.start()]
    held: str | None = None
    for part in _parts(text):
        if held is not None and _SUFFIX.match(part):
            held = f"{held} {part}"
            continue
        if held is not None:
            yield held
        held = part
    if held is not None:
        yield held
    if group is not None:
        yield group


def _parts(text: str) -> Iterator[str]:
    for part in _BETWEEN.split(text):
        name = _OTHERS.sub("", _FOR_FIRST.sub("", _LEADING.sub("", part.strip(" ,;:"))))
        if name and any(letter.isalpha() for letter in name):
            yield name


def _without_brackets(text: str) -> str:
    """`text` less what is in round brackets, however deep; one that is never closed takes the rest."""
    kept, depth = [], 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return " ".join("".join(f"{piece} " for piece in kept).split())
