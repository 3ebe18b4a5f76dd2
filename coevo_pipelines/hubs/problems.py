"""What is wrong with a hub's package, in words for whoever wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SHOWN = 80
"""Characters of what was found that a message shows."""
DESCRIPTOR = "datapackage.json"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where, and what would do.

    `resource` is the file (`needs.csv`), `row` counts from 1 below the header (None: the whole file), `column` is a
    column or a property of the descriptor (empty: the whole). `fatal`: the package, or the whole file, is refused;
    else one row is, or one optional thing.
    """

    resource: str
    row: int | None
    column: str
    found: str
    expected: str
    example: str
    fatal: bool = False

    def line(self) -> str:
        """`needs.csv row 3, column amount: found 'ten', expected a number above 0, such as 12.5`"""
        return f"{self.place()}: {self.said()}"

    def place(self) -> str:
        """Where: `needs.csv row 3, column amount`."""
        whole = self.resource or DESCRIPTOR
        row = "" if self.row is None else f" row {self.row}"
        word = "property" if whole.endswith(DESCRIPTOR) else "column"
        return f"{whole}{row}" + (f", {word} {self.column}" if self.column else "")

    def said(self) -> str:
        """What: `found 'ten', expected a number above 0, such as 12.5`."""
        return f"found {self.found}, expected {self.expected}" + (f", such as {self.example}" if self.example else "")


def seen(value: Any) -> str:
    """What stands there, short and on one line: text in quotes, `nothing` for what is empty."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else _plain(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…{text[0] if isinstance(value, str) else ''}"


def one_of(values: Iterable[str], found: str = "") -> str:
    """`one of food, housing, …`, and what was probably meant."""
    known = list(values)
    close = difflib.get_close_matches(found.strip().casefold(), known, n=1, cutoff=0.6) if found else []
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"one of {', '.join(known)}{hint}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(sorted(map(repr, value))[:5]) or 'nothing in it'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    try:
        return " ".join(str(value).split())
    except ValueError:  # an integer of more digits than Python prints
        return "a number of thousands of digits"
