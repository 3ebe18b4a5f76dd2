"""The formats by name, and one way in: `export`."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from coevo_pipelines.rewards.exports import collective, drips, ethereum, merkle, sponsors, transfers
from coevo_pipelines.rewards.exports.payout import Export, ExportError, LeftOut, Paid, Payee, Reached, Refused, Written
from coevo_pipelines.rewards.exports.register import people

REGISTER = ".people.csv"
MOST = 10**30
"""Minor units of a payee. It fits the 128 bits that Drips reckons in, and so all the others."""
MOST_DECIMALS = 36
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Format:
    """How one system is told whom to pay."""

    about: str
    suits: Callable[[Paid], None]
    """Raises ExportError for a round that the system cannot pay."""
    address: Callable[[Payee, Paid], str]
    """Raises Refused for a payee that it cannot pay."""
    write: Callable[[Paid, Sequence[Reached]], Written]


def _anything(_: Paid) -> None:
    """Weights have no currency."""


FORMATS: Mapping[str, Format] = {
    "safe": Format("Safe{Wallet}: CSV Airdrop", ethereum.coin_or_token, ethereum.payable, transfers.safe),
    "disperse": Format("disperse.app: address,amount", ethereum.coin_or_token, ethereum.payable, transfers.disperse),
    "drips": Format("Drips: splits in millionths", _anything, drips.account_id, drips.splits),
    "github_sponsors": Format("GitHub Sponsors: bulk CSV", sponsors.in_dollars, sponsors.login, sponsors.bulk),
    "open_collective": Format(
        "Open Collective: draft expenses", collective.in_money, collective.slug_or_email, collective.drafts
    ),
    "merkle": Format("Uniswap merkle-distributor: claims", merkle.has_token, ethereum.payable, merkle.claims),
}


def export(name: str, paid: Paid) -> Export:
    """The round in the format `name`; the same bytes whatever the order of the payees.

    Whoever cannot be paid this way is in `left_out` with the reason, as is what the system does not take (cents, say);
    `<name>.people.csv` among the files has a row for everybody. Raises ExportError for an unknown format, a round that
    the format cannot pay, payees that do not make sense (twice the same, negative amounts), and when nobody is left.
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ExportError(f"unknown export format {name!r}{hint}: there are {', '.join(FORMATS)}")
    paid = _checked(paid)
    FORMATS[name].suits(paid)
    reached, left_out = _reach(FORMATS[name], paid)
    written = FORMATS[name].write(paid, reached) if reached else Written({})
    left_out = sorted([*left_out, *written.left_out])
    total = sum(payee.amount for payee in paid.payees) - sum(amount for _, amount, _ in left_out)
    if not total:
        reasons = Counter(reason for _, _, reason in left_out).most_common(3)
        most = ", ".join(f"{reason} ({count} times)" for reason, count in reasons)
        raise ExportError(f"{name}: of {len(paid.payees)} payees of round {paid.round} none can be paid: {most}")
    files = {**written.files, f"{name}{REGISTER}": people(paid.payees, reached, left_out)}
    return Export(files, left_out, total, written.notes)


def _reach(form: Format, paid: Paid) -> tuple[list[Reached], list[LeftOut]]:
    reached: list[Reached] = []
    left_out: list[LeftOut] = []
    for payee in paid.payees:
        try:
            if not payee.amount:
                raise Refused("nothing to pay")
            reached.append(Reached(payee, form.address(payee, paid)))
        except Refused as reason:
            left_out.append((payee.person_id, payee.amount, str(reason)))
    return reached, left_out


def _checked(paid: Paid) -> Paid:
    """The round with its payees in order of id and its token's address in EIP-55 case."""
    for what, text in {"round": paid.round, "currency": paid.currency}.items():
        if not text or not _is_unicode(text):
            raise ExportError(f"the {what} is {text!r}: it must be a text")
    if not _SHA256.fullmatch(paid.entry):
        raise ExportError(f"round {paid.round}: the ledger entry is {paid.entry!r}, not a sha256 in hexadecimal")
    if not _is_whole(paid.decimals, MOST_DECIMALS):
        raise ExportError(f"round {paid.round}: {paid.decimals!r} decimals; they are from 0 to {MOST_DECIMALS}")
    if not paid.payees:
        raise ExportError(f"round {paid.round} has no payees")
    for person, times in Counter(payee.person_id for payee in paid.payees).items():
        if times > 1:
            raise ExportError(f"round {paid.round}: payee {person} is there {times} times; add up their amounts")
    for payee in paid.payees:
        if not payee.person_id or not all(map(_is_unicode, (payee.person_id, payee.name or ""))):
            raise ExportError(f"round {paid.round}: payee {payee.person_id!r}: id and name must be valid Unicode text")
        if not _is_whole(payee.amount, MOST):
            raise ExportError(
                f"round {paid.round}: payee {payee.person_id} gets {payee.amount!r}; amounts are whole minor units "
                "from 0 to 10^30"
            )
    try:
        token = None if paid.token is None else ethereum.checksummed(paid.token)
    except Refused as reason:
        raise ExportError(f"round {paid.round}: the token: {reason}") from reason
    return replace(paid, payees=sorted(paid.payees, key=lambda payee: payee.person_id), token=token)


def _is_whole(number: object, most: int) -> bool:
    return type(number) is int and 0 <= number <= most  # not a bool, not numpy's


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
