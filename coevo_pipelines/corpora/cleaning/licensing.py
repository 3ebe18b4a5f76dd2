"""Whether a document's licence is one of those that a blueprint allows.

A licence is an SPDX expression (SPDX 2.3 annex D), whose truth here has three values: allowed, refused, unknown.
`OR` needs one part, `AND` needs all; an unknown part decides only where the known ones do not (Kleene's tables).
`X WITH E` needs that very form on the list, or both X and E. `X+` is as good as X where SPDX has no id of its own for
it: whoever may choose a later version may choose this one. Ids on no SPDX list, `LicenseRef-…` (whose meaning is
another document's), NOASSERTION, nothing, and what is no expression are unknown unless the list names them literally;
NONE says that there is no licence, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import polars as pl

Unknown = Literal["leave_out", "keep"]
Origin = Literal["file", "repository", "source"]

PERMISSIVE = frozenset(
    {
        *("0BSD", "AFL-3.0", "Apache-1.1", "Apache-2.0", "BlueOak-1.0.0", "BSD-1-Clause", "BSD-2-Clause"),
        *("BSD-2-Clause-Patent", "BSD-2-Clause-Views", "BSD-3-Clause", "BSD-3-Clause-Attribution"),
        *("BSD-3-Clause-Clear", "BSD-3-Clause-LBNL", "BSD-4-Clause", "BSD-4-Clause-UC", "BSD-Source-Code", "BSL-1.0"),
        *("bzip2-1.0.6", "CC0-1.0", "CNRI-Python", "curl", "ECL-2.0", "FTL", "HPND", "ICU", "ImageMagick", "ISC"),
        *("Libpng", "libtiff", "MIT", "MIT-0", "MIT-CMU", "MS-PL", "MulanPSL-2.0", "NCSA", "NetCDF", "NTP"),
        *("OLDAP-2.8", "OpenSSL", "PHP-3.01", "PostgreSQL", "PSF-2.0", "Python-2.0", "TCL"),
        *("Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "UPL-1.0", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1"),
        *("CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-PDDC", "CDLA-Permissive-1.0"),
        *("CDLA-Permissive-2.0", "ODC-By-1.0", "PDDL-1.0", "LicenseRef-CC-BY", "Apache-2.0 WITH LLVM-exception"),
    }
)
"""What a blueprint allows that says nothing else: the licences in common use that Blue Oak Council's permissive list
(blueoakcouncil.org/list) or ScanCode's category Permissive or Public Domain name, as The Stack v2 chose them (StarCoder
2, arXiv:2402.19173), and of Creative Commons and open data those that ask for attribution at most, which a release
gives."""

_WITHOUT = {"NOASSERTION", ""}
_SLASH = re.compile(r"\s*/\s*")
_PLUS = re.compile(r"([\w.-]+)\+")
_CC_KINDS = ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")
_CC = re.compile(
    r"(?i)(?:https?://)?(?:www\.)?creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)(?:/([a-z]{2,3})\b)?"
    r"|(publicdomain/zero)/1\.0|(publicdomain/mark)/1\.0|(licenses/publicdomain))(?:/.*)?"
)
_SPDX_URL = re.compile(r"(?i)(?:https?://)?(?:www\.)?spdx\.org/licenses/([\w.+-]+?)(?:\.html|\.json)?/?")
_SOURCES = {
    # Hugging Face (hub/repositories-licenses), where its identifier is not SPDX's in lower case
    "cdla-sharing-1.0": "CDLA-Sharing-1.0",
    "etalab-2.0": "etalab-2.0",
    "lgpl-lr": "LGPLLR",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "ms-pl": "MS-PL",
    # OpenAlex (locations.license) says which kind of Creative Commons licence, not which version
    **{f"cc-{kind.lower()}": f"LicenseRef-CC-{kind}" for kind in _CC_KINDS},
    "cc-zero": "CC0-1.0",
    "cc0": "CC0-1.0",
    "public-domain": "LicenseRef-public-domain",
    "apache-license-2.0": "Apache-2.0",
    # addresses that say which
    "apache.org/licenses/license-2.0": "Apache-2.0",
    "opensource.org/licenses/mit": "MIT",
    "opensource.org/license/mit": "MIT",
    "arxiv.org/licenses/nonexclusive-distrib/1.0": "LicenseRef-arXiv-nonexclusive-distrib-1.0",
    "arxiv.org/licenses/assumed-1991-2003": "LicenseRef-arXiv-assumed-1991-2003",
    # sources' words for "we do not know"
    "other": None,
    "unknown": None,
    "noassertion": None,
    "other-oa": None,
    "other-open": None,
    "none": None,  # Hugging Face cards write it for "not given"; SPDX's NONE is in capitals and of files
}

_REFS = {name for name in _SOURCES.values() if name and name.startswith("LicenseRef-")}
"""Our own names for licences that SPDX has no id for: known, so that none is allowed unless the list names it."""


class LicenceError(ValueError):
    """An allow-list with an entry that is no SPDX expression; the message names it."""


@dataclass(frozen=True)
class Verdict:
    """Whether the document may be used, and by which rule (`allowed: MIT`, `refused: GPL-3.0-only`, …)."""

    allowed: bool
    why: str


def evaluate(expression: str | None, allowed: Collection[str] = PERMISSIVE, unknown: Unknown = "leave_out") -> Verdict:
    """The verdict on one expression; `allowed` has SPDX ids, exceptions and `X WITH E` forms, in any case, deprecated
    ids too. LicenceError for an entry of the list that is neither an id nor a `LicenseRef-…`."""
    names = _allow_list(frozenset(allowed))
    given = (expression or "").strip()
    if given.upper() == "NONE":
        return Verdict(False, "refused: NONE")
    if given.upper() in _WITHOUT:
        return Verdict(unknown == "keep", "unknown: no licence is given")
    parsed = _parse(given)
    if parsed is None:
        return Verdict(unknown == "keep", f"unknown: {given[:200]!r} is no SPDX expression")
    truth, said = _value(parsed, names)
    names_said = ", ".join(dict.fromkeys(said))
    if truth is None:
        return Verdict(unknown == "keep", f"unknown: {names_said}")
    return Verdict(truth, f"{'allowed' if truth else 'refused'}: {names_said}")


def evaluate_all(
    expressions: pl.Series, allowed: Collection[str] = PERMISSIVE, unknown: Unknown = "leave_out"
) -> pl.DataFrame:
    """The verdicts of a series: allowed (Boolean) and why (String), row by row; each value is judged once."""
    import polars as pl

    values = expressions.unique(maintain_order=True).to_list()
    verdicts = [evaluate(value, allowed, unknown) for value in values]
    table = pl.DataFrame(
        {"expression": values, "allowed": [v.allowed for v in verdicts], "why": [v.why for v in verdicts]},
        schema={"expression": pl.String, "allowed": pl.Boolean, "why": pl.String},
    )
    return (
        expressions.cast(pl.String)
        .alias("expression")
        .to_frame()
        .join(table, on="expression", how="left", nulls_equal=True, maintain_order="left")
        .select("allowed", "why")
    )


def effective(file: str | None, repository: str | None, source: str | None) -> tuple[str | None, Origin | None]:
    """The expression that holds for a document and who says so: the file's own header before the repository's licence
    file before what the source (GitHub, Hugging Face, OpenAlex, arXiv) says; NOASSERTION says nothing."""
    said: tuple[tuple[Origin, str | None], ...] = (
        ("file", file),
        ("repository", repository),
        ("source", of_source(source)),
    )
    for origin, expression in said:
        if expression and expression.strip().upper() not in _WITHOUT:
            return expression.strip(), origin
    return None, None


_HEADER = re.compile(
    r"(?im)^[^A-Za-z0-9\"'`\r\n]{0,20}(?:(?:rem|dnl) |r?(?:\"{3}|'{3}))?SPDX-License-Identifier:[ \t]*([^\r\n]{1,200})"
)
_HEAD = 4096
_GNU = re.compile(
    r"terms of (?:the )?(?:version \d[.\d]* of )?the GNU (Affero |Lesser |Library )?General Public License"
)
_MPL = re.compile(r"subject to the terms of the Mozilla Public License, v\. 2\.0")


def of_header(text: str) -> str | None:
    """What the SPDX lines in a file's head say, also where it is on no list or several disagree (`A AND B`), else the
    notice that the GNU and Mozilla licences ask for: a file that says something of its own is not under its
    repository's licence. None where there is neither."""
    found = {re.sub(r"[^\w.+)]+$", "", line.strip()) for line in _HEADER.findall(text[:_HEAD])} - {""}
    if not found:
        return _noticed(" ".join(re.findall(r"[\w.,'()]+", text[:_HEAD])))
    if len(found) == 1:
        return found.pop()
    return " AND ".join(f"({each})" for each in sorted(found))


def _noticed(words: str) -> str | None:
    """The licence of a notice, whose words stand without marks of comments between them."""
    if (found := _GNU.search(words)) is None:
        return "MPL-2.0" if _MPL.search(words) else None
    name = {"Affero ": "AGPL", "Lesser ": "LGPL", "Library ": "LGPL", None: "GPL"}[found[1]]
    around = words[found.start() : found.end() + 250]
    if (version := re.search(r"version (\d(?:\.\d)?)", around)) is None:
        return f"LicenseRef-{name}"
    number = version[1] if "." in version[1] else f"{version[1]}.0"
    return f"{name}-{number}-{'or-later' if 'later version' in around else 'only'}"


@lru_cache(maxsize=4096)
def of_source(name: str | None) -> str | None:
    """A source's own licence name as an SPDX expression: ids in any case, the address of a licence, a few names that
    mean one licence. None where the source does not know; a name that SPDX does not know stays, as `LicenseRef-<name>`.
    """
    if name is None or not (given := name.strip()):
        return None
    if address := _CC.fullmatch(given):
        return _creative_commons(*address.groups())
    if address := _SPDX_URL.fullmatch(given):
        given = address[1]
    key = re.sub(r"^https?://(?:www\.)?|(?:\.html|\.txt)?/?$", "", given.lower()).replace(" ", "-")
    if key in _SOURCES:
        return _SOURCES[key]
    for form in (given, given.replace(" ", "-")):
        parsed = _parse(form)
        if parsed is not None and not _unknown_ids(parsed):
            return str(parsed.render())
    return "LicenseRef-" + re.sub(r"[^0-9A-Za-z.]+", "-", given).strip("-")[:80]


def _creative_commons(kind: str | None, version: str, port: str | None, zero: str, mark: str, _old: str) -> str:
    if kind is None:
        return "CC0-1.0" if zero else "LicenseRef-CC-PDM-1.0" if mark else "CC-PDDC"
    plain = f"CC-{kind.upper()}-{version}"
    ported = f"{plain}-{port.upper()}" if port else plain
    return ported if ported.lower() in _ids() else plain


@lru_cache(maxsize=1)
def _licensing() -> Any:
    """SPDX's ids as license-expression ships them, less the aliases `LicenseRef-…` that ScanCode gave some."""
    from license_expression import build_spdx_licensing, get_license_index

    index = [
        {**entry, "other_spdx_license_keys": [k for k in entry["other_spdx_license_keys"] if "LicenseRef" not in k]}
        for entry in get_license_index()
        if entry.get("spdx_license_key") and not entry["spdx_license_key"].startswith("LicenseRef")
    ]
    return build_spdx_licensing(index)


@lru_cache(maxsize=1)
def _ids() -> frozenset[str]:
    """All ids and their deprecated forms, in lower case."""
    symbols = _licensing().known_symbols.values()
    return frozenset(name.lower() for symbol in symbols for name in (symbol.key, *symbol.aliases))


def _later(found: re.Match[str]) -> str:
    return found[0] if found[0].lower() in _ids() or found[1].lower() not in _ids() else found[1]


@lru_cache(maxsize=4096)
def _parse(expression: str) -> Any:
    """The tree of license-expression; None for what is no expression. `/` is OR, as in old crates' manifests."""
    from license_expression import ExpressionError, ExpressionParseError

    try:
        return _licensing().parse(_PLUS.sub(_later, _SLASH.sub(" OR ", expression)))
    except (ExpressionError, ExpressionParseError, RecursionError):
        return None


def _unknown_ids(parsed: Any) -> list[str]:
    return [key for key in map(str, _licensing().unknown_license_keys(parsed)) if key not in _REFS]


def _value(node: Any, names: frozenset[str]) -> tuple[bool | None, list[str]]:
    """Whether the list allows the tree (None: unknown), and the ids that decided."""
    from license_expression import LicenseWithExceptionSymbol

    if getattr(node, "args", None):
        values = [_value(part, names) for part in node.args]
        decisive = node.__class__.__name__ == "OR"  # one true part decides an OR, one false part an AND
        for truth in (decisive, None, not decisive):
            if said := [name for value, parts in values if value is truth for name in parts]:
                return truth, said
    said = [str(node.render())]
    if said[0] in names:
        return True, said
    if isinstance(node, LicenseWithExceptionSymbol):
        base, _ = _value(node.license_symbol, names)
        if base and str(node.exception_symbol.key) in names:
            return True, said
        return (None if base is not False and _unknown_ids(node) else False), said
    return (None if _unknown_ids(node) else False), said


@lru_cache(maxsize=64)
def _allow_list(allowed: frozenset[str]) -> frozenset[str]:
    """The list in SPDX's own writing."""
    names = set()
    for entry in sorted(allowed):
        parsed = _parse(entry)
        named = parsed is not None and not getattr(parsed, "args", None)
        if not named or any(":" not in key and not key.startswith("LicenseRef-") for key in _unknown_ids(parsed)):
            raise LicenceError(
                f"licences: {entry!r} is no SPDX id, exception, `X WITH E` or LicenseRef-…: see spdx.org/licenses"
            )
        names.add(str(parsed.render()))
    return frozenset(names)
