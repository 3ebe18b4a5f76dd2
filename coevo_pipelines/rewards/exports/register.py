"""<format>.people.csv: who is behind which line of an export, who is not in it and why. It is for the person who pays
and for the archive, not for the service."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from coevo_pipelines.rewards.exports.payout import LeftOut, Payee, Reached, by_person

COLUMNS = ("person", "name", "address", "paid", "left_out", "reason")
"""Amounts in minor units."""
_FORMULA = tuple("=+-@\t\r\n\0'＝＋－＠")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection), and the mark that prevents it."""


def people(payees: Iterable[Payee], reached: Sequence[Reached], left_out: Sequence[LeftOut]) -> bytes:
    """One row a payee, in the order given. A cell that begins like a formula has a ' before it; one that begins with
    ' has another, so taking one away gives what was meant."""
    addresses = {one.payee.person_id: one.address for one in reached}
    short = by_person(left_out)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)  # its \r\n makes it quote a lone \r too
    writer.writerow(COLUMNS)
    for payee in payees:
        units, reasons = short.get(payee.person_id, (0, []))
        texts = (payee.person_id, payee.name or "", addresses.get(payee.person_id, ""))
        row = [*map(_plain, texts), payee.amount - units, units, _plain("; ".join(reasons))]
        writer.writerow(row)
    return stream.getvalue().encode()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
