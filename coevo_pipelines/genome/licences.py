"""Which files say whose the text is and what may be done with it, and the SPDX id where one is certain.

Certain means one of three: the file says so itself (`SPDX-License-Identifier:` on a comment line of its head,
SPDX 2.3 annex E), its name does (`LICENSES/<id>.txt`, REUSE 3.3), or it is one of a few well-known texts word for
word. Anything else is None: a likeness is no licence. The GPL family is never told from its text, which does not
say whether later versions are meant too.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Kind = Literal["licence", "notice", "authors", "citation"]

_CODE = (
    rb"(?:py|pyi|rs|jsx?|mjs|cjs|tsx?|java|kt|c|cc|cpp|cxx|h|hh|hpp|go|sh|rb|php|pl|pm|cs|swift|scala|lua|css|scss|vue|"
    rb"json|ya?ml|toml|ini|cfg|ipynb)"
)


def _named(words: bytes, before: bytes = b"") -> re.Pattern[bytes]:
    # What follows the word stands behind a mark: LICENSE-MIT, COPYING3.LIB, but not licensed.txt.
    return re.compile(rb"(?is)(?:%s)(?:%s)\d*(?:[-._ ].*)?" % (before, words))


_BEFORE = rb"|.*[-._ ]|third[-_ ]?party"  # MIT-LICENSE, ThirdPartyNotices.txt
_KINDS: dict[Kind, re.Pattern[bytes]] = {
    "licence": _named(rb"(?:un)?licen[sc]es?|copying|patents?|ofl|eula", _BEFORE),
    "notice": _named(rb"notices?|copyrights?", _BEFORE),
    "authors": _named(rb"authors?|contributors|credits|acknowledge?ments?"),
    "citation": _named(rb"citations?"),
}
_ANY = re.compile(rb"(?i)licen|copy|patent|ofl|eula|notice|author|contrib|credit|acknow|citation")
"""One of them is in each name that `_KINDS` match: nearly all files are told from them by this alone."""
_SOURCE = re.compile(rb"(?i).*\.%s" % _CODE, re.DOTALL)

_HEAD = 4096
_LINE = re.compile(rb"(?m)^[^A-Za-z0-9\"'`\r\n]{0,20}SPDX-License-Identifier:[ \t]*([^\r\n]{1,200})")
_CLOSING = re.compile(r"\s*(?:\*/|-->|--\}\}|#\}|%>|\*\)|\)\))?\s*$")

_COPYRIGHT = re.compile(
    r"(?i)\W*(?:copyright\b\W*)+(?:\(c\)|©|\d{4}|[\[{<(]).*|\W*(?:\(c\)|©).*|\W*all rights reserved\W*"
)
_TITLE = re.compile(r"(?i)(?=.{1,60}$)\W*(?:[\w.,()\"'-]+\s+){0,6}licen[sc]e\W*(?:\([\w. -]+\)|\d[\d.]*)?\W*")
_BULLET = re.compile(r"(?m)^[\s*#/;-]*(?:\(?\w[.)]\s|[*•-]\s)?")
_WORD = re.compile(r"[a-z0-9]+")

WELL_KNOWN = {
    "0cf21bdfd1964a97a8615e128534845826afbc887edc95aa5c925cbf64386b5c": "MIT",
    "53075742228962c7ea381b8242c64602fa32e7b8f52facb6d13ee4f9c596ddfa": "BSD-3-Clause",
    "986c3c3199a93b916c8f2e0aeed57819bcbdcb2cd9d99902dcc9d74b53f93a74": "BSD-2-Clause",
    "217da0747cec63a2e734185db11cbaa819bcd9e5b83cd12f812128fffe66e26a": "ISC",
    "280d76b420aeff51730e96577a2466120c91213f03dd50d60107078c498c5b29": "ISC",  # "and distribute"
    "65d923e79d2914c079e0fbb1b39ff86709673bcbde174cacf3a16c03098984cc": "Apache-2.0",
    "f5ac6edeff3ea82994def3625713263ee4e18a45092a35150754ff03d39c32c1": "Apache-2.0",  # ends before the appendix
    "e1f6b11541ff557363023a7506d24466e37f23601a43c80b327adfdba77beb60": "Apache-2.0",  # its address with https
    "8f9100a0f3263a08c395ec7d2deee9a2588b7d3f9510021635e8d453aabb08bd": "MPL-2.0",
    "51c4bf27767d074bdefc84db7420b4c55e27827dac6d8de3ef0d37b2042fb6fa": "CC0-1.0",
    "5fcf89bde8c0c2deb999f4cc626e1aebf90e80fdc5cd334dae008152ef4a1ded": "BSL-1.0",
    "fd1b07be5f4f94926b6ea4df3943b05ab90c1a1f3b1a3d574ae7ab58bca58fff": "Unlicense",
    "7a4d92cdb11d254973a073803be1148a5402f1b2ca67808cdb3ef78b596102cd": "Unlicense",  # its address with http
}
"""SHA-256 of the words of a licence's text (see `words`) -> its SPDX id. Made from SPDX's license-list-data,
choosealicense.com and the texts that Debian and Python packages with that License-Expression carry."""


def kind(path: bytes) -> Kind | None:
    """What the file at `path` is by its name; None for any other file."""
    folder, _, name = path.rpartition(b"/")
    if folder.rpartition(b"/")[2] == b"LICENSES" or name.lower().endswith(b".license"):
        return "licence"
    if not _ANY.search(name) or _SOURCE.fullmatch(name):
        return None
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(name)), None)


def spdx_id(path: bytes, text: bytes) -> str | None:
    """The SPDX expression that holds for this file, canonical in case; None where it is not certain (also where
    two lines of the head disagree, or an id is on no SPDX list)."""
    head = text[:_HEAD]
    lines = _LINE.findall(head) if b"SPDX-License-Identifier:" in head else ()
    found = {_CLOSING.sub("", line.decode("utf-8", "replace")).strip() for line in lines}
    if found:
        return _expression(found.pop()) if len(found) == 1 else None
    if kind(path) != "licence":
        return None
    folder, _, name = path.rpartition(b"/")
    if folder.rpartition(b"/")[2] == b"LICENSES" and name.endswith(b".txt"):
        stem = name[:-4].decode("utf-8", "replace")
        return stem if _expression(stem) == stem else None
    return well_known(text)


def well_known(text: bytes) -> str | None:
    """The id of the licence whose text this is, word for word; titles and copyright lines may differ."""
    if len(text) > 64 * 1024:
        return None
    return WELL_KNOWN.get(hashlib.sha256(" ".join(words(text)).encode()).hexdigest())


def words(text: bytes) -> list[str]:
    """The words that make the licence: lower case, without marks, list numbers, copyright lines, and the title
    lines above the text. So line breaks and bullets do not tell two copies apart, and a changed word does."""
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if not _COPYRIGHT.fullmatch(line)]
    start = next((n for n, line in enumerate(lines) if line.strip() and not _TITLE.fullmatch(line)), len(lines))
    return _WORD.findall(_BULLET.sub("", "\n".join(lines[start:])).lower())


def _expression(given: str) -> str | None:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(given))
    except InvalidLicenseExpression:
        return None
