"""Addresses inside a report, and where a number comes from.

`work.html?id=arxiv:1306.2257` is the work as of the report's day for ever: a day's folder is made of that day's
partitions. `../../index.html?page=work&id=…` is the same on the newest day (entrance.py).
"""

from __future__ import annotations

from datetime import date
from urllib.parse import quote, urlencode

from coevo_pipelines.report.html import text


def address(kind: str, identifier: str) -> str:
    """Of the page of a work, person, repository, chamber or hub."""
    return f"{kind}.html?id={quote(identifier, safe=':/')}"


def to(kind: str, identifier: str, label: str) -> str:
    """A link to that page; `label` is strangers' text."""
    return f'<a href="{text(address(kind, identifier), 5000)}"><bdi>{text(label)}</bdi></a>'


def proof(table: str, day: date, label: str, **key: str | int) -> str:
    """A number that leads to its row and its proof: table, day, and what picks the row out (columns of the table).

    `label` is the number as it is shown.
    """
    where = {name: str(value) for name, value in key.items()}
    query = urlencode({"table": table, "date": day.isoformat(), **where})
    return f'<a class="proof" href="proof.html?{text(query, 5000)}" title="where this comes from">{text(label)}</a>'
