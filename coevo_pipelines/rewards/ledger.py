"""The reward ledger: one hash-chained line for each round, expiry, release, correction and payment; nothing is edited.

A line is the canonical JSON (sorted keys, no spaces, UTF-8) of one record. Its `id` is the sha256 of the canonical
record without `id`; `prev` is the id of the line before (64 zeros at first), so a changed line breaks the chain from
there on. What an entry claims (sums, caps, eligibility, holdings) is checked when it is appended and again on replay.

A writer announces the complete line in `rewards.pending` before it appends. A last line without its end is a killed
writer's only if the announced line begins with it; else it is damage, and nothing is cut off in silence. What the
chain cannot show is that whole lines are missing at the end: whoever noted `State.head` can tell.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import os
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from coevo_pipelines.lake.ledger import GENESIS, LedgerError, canonical, sync_folder, write_durably

MOST = 10**30
"""The largest amount of money, in minor units."""

PAYABLE = frozenset({"round", "release", "correction"})

Eligible = Callable[[str, str], Collection[str] | None]
"""(round, as_of) -> the people who may be paid; None: not known here, not checked."""

_SEARCH = 1 << 28  # bytes hashed at most to find the one byte that differs: about a second
_BEFORE, _AFTER = b'"id":"', b'",'  # `id` is never the last key
_HEX = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(  # any one byte of its frame may be the changed one
    b"|".join(_BEFORE[:i] + b"." + _BEFORE[i + 1 :] + b".{64}" + _AFTER for i in range(len(_BEFORE)))
    + b"|"
    + b"|".join(_BEFORE + b".{64}" + _AFTER[:i] + b"." + _AFTER[i + 1 :] for i in range(len(_AFTER))),
    re.DOTALL,
)


class LedgerDamaged(LedgerError):
    """A line is not what was written; `line` counts from 1, `offset` is where it begins in the file, in bytes."""

    def __init__(self, file: Path, line: int, offset: int, what: str) -> None:
        super().__init__(f"{file.parent.name}/{file.name} line {line} (at byte {offset} of the file): {what}")
        self.line = line
        self.offset = offset


class Refused(ValueError):
    """The entry breaks a rule and was not appended; the message names the rule and the numbers."""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    record: Mapping[str, Any]
    number: int
    """Line, from 1."""
    offset: int
    """Where the line begins in the file, in bytes."""

    @property
    def id(self) -> str:
        return str(self.record["id"])


@dataclass(frozen=True)
class Holding:
    """Money that waits in escrow for `person_id`."""

    id: str
    person_id: str
    reason: str
    subject: str
    amount: int
    expires: str
    as_of: str
    """Of the round that set it aside."""


Closed = tuple[Holding, str | None]
"""What was released, and to whom; None: it has expired."""


@dataclass
class Round:
    """What all entries of one round say together. Amounts in minor units of `currency`."""

    currency: str
    decimals: int
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    """as_of -> the round entry and its corrections; the last one holds."""
    earned: dict[str, int] = field(default_factory=dict)
    """Person -> receipts after corrections, and releases."""
    holdings: dict[str, Holding] = field(default_factory=dict)
    """What still waits in escrow."""
    closed: dict[str, Closed] = field(default_factory=dict)
    returned: int = 0
    """Given back by expiries and not yet divided again."""
    reserve: int = 0
    latest: str = ""
    """The latest as_of of a round, expiry or release."""

    def effective(self, as_of: str) -> Entry:
        """The entry that holds for `as_of`. Raises KeyError when the round has none."""
        return self.entries[as_of][-1]


@dataclass
class State:
    """Where the money is after all entries."""

    head: str = GENESIS
    entries: dict[str, Entry] = field(default_factory=dict)
    """id -> entry, in order."""
    rounds: dict[str, Round] = field(default_factory=dict)
    payments: dict[str, Entry] = field(default_factory=dict)
    """Id of the paid entry -> its payment."""


def entry_id(record: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON of `record` without its `id`."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "id"})).hexdigest()


def holding_id(round: str, as_of: str, person_id: str, reason: str, subject: str) -> str:
    """The name of money in escrow: the same person, reason and subject keep it through corrections."""
    return next(holding_ids(round, as_of, [(person_id, reason, subject)]))


def holding_ids(round: str, as_of: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """`holding_id` of each (person_id, reason, subject)."""
    # Canonical JSON put together by hand: there may be millions, and json.dumps takes three times as long.
    begin, name = f'{{"as_of":{_quoted(as_of)},"person_id":', f',"round":{_quoted(round)},"subject":'
    for person_id, reason, subject in rows:
        person = _quoted(person_id)
        of = person if subject == person_id else _quoted(subject)  # nearly always: what waits for its person
        text = f'{begin}{person},"reason":{_quoted(reason)}{name}{of}}}'
        yield hashlib.sha256(text.encode()).hexdigest()[:16]


_quoted = json.encoder.encode_basestring


class RewardLedger:
    """The reward ledger of the lake at `root`. Reading takes no lock; appending does."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "ledger"
        self.file = self.folder / "rewards.jsonl"
        self.pending = self.folder / "rewards.pending"
        self._lock = FileLock(self.folder / ".rewards.lock")

    def replay(self, eligible: Eligible | None = None) -> State:
        """The state after all entries, each one checked. Raises LedgerDamaged for the first that is wrong."""
        state = State()
        for damage in self._examine(state, eligible or _unknown):
            raise damage
        return state

    def findings(self, eligible: Eligible | None = None) -> list[str]:
        """Everything that is wrong. After a line that cannot be taken in, later ones are checked for themselves
        and for their place in the chain only: their sums may stand on what is lost."""
        return [str(damage) for damage in self._examine(State(), eligible or _unknown)]

    def entries(self) -> list[Entry]:
        """All entries in order, checked as `replay` does."""
        return list(self.replay().entries.values())

    def append(self, draft: Mapping[str, Any], *, eligible: Collection[str]) -> Entry:
        """Check `draft` against the whole ledger and append it; `prev` and `id` may be left out.

        The same entry again (whatever its `prev`) changes nothing and returns the one that is there.
        Raises Refused when it breaks a rule, LedgerDamaged when the ledger does not replay, LedgerError when it
        cannot be written; then the ledger is as before.
        """
        record = _plain(draft)
        allowed = eligible if isinstance(eligible, (set, frozenset)) else frozenset(eligible)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            state = self._recovered()
            present = _present(record, state)
            if present is not None:
                return present
            if record.setdefault("prev", state.head) != state.head:
                raise Refused(f"prev {record['prev']!r} is not the last entry, which is {state.head}: forged or stale")
            if problems := _wrong(record, state, lambda _round, _as_of: allowed):
                raise Refused("; ".join(problems))
            found = record.pop("id", None)
            record["id"] = entry_id(record)
            if found not in (None, record["id"]):
                raise Refused(f"id {found!r}: the content's sha256 is {record['id']}")
            offset = self.file.stat().st_size if self.file.exists() else 0
            self._write(canonical(record) + b"\n", offset)
            return Entry(record, len(state.entries) + 1, offset)

    def _write(self, line: bytes, size: int) -> None:
        """Append `line` to the file of `size` bytes, whole or not at all."""
        try:
            write_durably(self.pending, line)
            self._append(line)
        except OSError as error:
            if self.file.exists():
                os.truncate(self.file, size)
            self.pending.unlink(missing_ok=True)
            raise LedgerError(
                f"{self.file}: not written ({error.strerror}, {len(line)} bytes): the ledger is as it was"
            ) from error
        self.pending.unlink()

    def _append(self, line: bytes) -> None:
        with self.file.open("ab") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(self.folder)

    def _recovered(self) -> State:
        """The state, after finishing what a killed writer announced; without its end it was never begun."""
        state, announced = self.replay(), self._announced()
        if announced is not None:
            record, what = _read(announced)
            if what or state.head not in (record["prev"], record["id"]):
                raise LedgerError(
                    f"{self.pending}: the entry that a killed writer announced does not follow the last one, "
                    f"{state.head}: restore {self.file.name}, or remove this file to give the entry up"
                )
            if record["id"] != state.head:
                if state.entries:
                    last = state.entries[state.head]
                    os.truncate(self.file, last.offset + len(canonical(dict(last.record))) + 1)
                elif self.file.exists():
                    os.truncate(self.file, 0)
                self._append(announced)
                state = self.replay()
        self.pending.unlink(missing_ok=True)
        return state

    def _announced(self) -> bytes | None:
        try:
            line = self.pending.read_bytes()
        except FileNotFoundError:
            return None
        return line if line.endswith(b"\n") else None

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """(number, offset, line); without a last one that its writer is writing, or was killed at."""
        if not self.file.exists():
            return
        offset = 0
        with self.file.open("rb") as stream:
            for number in itertools.count(1):
                line = stream.readline()
                if line and not line.endswith(b"\n"):
                    announced = self._announced()
                    if announced is not None and announced.startswith(line):
                        return
                    # No announcement: its writer has finished, or given up, since; or nobody wrote this.
                    stream.seek(offset)
                    line = stream.readline()
                if not line:
                    return
                yield number, offset, line
                offset += len(line)

    def _examine(self, state: State, eligible: Eligible) -> Iterator[LedgerDamaged]:
        """What is wrong, line by line, while `state` takes in what the lines say."""
        believed = True
        lines = itertools.pairwise(itertools.chain(self._lines(), [(0, 0, b"")]))
        for (number, offset, line), (_, _, following) in lines:
            record, what = _read(line)
            if what:
                what = _where(line, following) or what
                if record and believed and (meaning := _wrong(record, state, eligible)):
                    what = f"{what}; as it stands: {meaning[0]}"
                yield LedgerDamaged(self.file, number, offset, what)
                believed, state.head = False, str(record.get("id", ""))
                continue
            if state.head not in ("", record.get("prev")):
                yield LedgerDamaged(
                    self.file,
                    number,
                    offset,
                    f"prev: expected {state.head}, found {record.get('prev')}: a line was removed, added or moved here",
                )
                believed = False
            problems = _wrong(record, state, eligible) if believed else ()
            for problem in problems:
                yield LedgerDamaged(self.file, number, offset, problem)
            state.head = record["id"]
            if problems and (record.get("kind") != "round" or any(_misshapen(record))):
                believed = False  # what a round of right shape says can still be taken in
            if believed:
                _apply(state, Entry(record, number, offset))


def _unknown(_round: str, _as_of: str) -> None:
    return None


def _plain(draft: Mapping[str, Any]) -> dict[str, Any]:
    """`draft` as it will be read back. Raises Refused for what JSON cannot hold."""
    try:
        plain: dict[str, Any] = json.loads(canonical(dict(draft)))
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the entry cannot be written as JSON: {error}") from error
    return plain


def _present(record: dict[str, Any], state: State) -> Entry | None:
    """The entry that says the same already. Of corrections only the one that holds: an earlier one may be restored."""
    content = {k: v for k, v in record.items() if k not in ("prev", "id")}
    for entry in state.entries.values():
        if (
            all(entry.record[k] == content.get(k) for k in ("kind", "round", "as_of"))
            and {k: v for k, v in entry.record.items() if k not in ("prev", "id")} == content
            and (
                content["kind"] != "correction"
                or state.rounds[content["round"]].effective(content["as_of"]).id == entry.id
            )
        ):
            return entry
    return None


# Reading a line, and finding what differs in a damaged one


def _read(line: bytes) -> tuple[dict[str, Any], str]:
    """The record of a line (empty if it is none), and what is wrong with it as a line."""
    try:
        record = json.loads(line.decode(), parse_constant=_no_constant)
        if not isinstance(record, dict):
            raise ValueError("no JSON object")
        expected = canonical(record) + b"\n"
        digest = entry_id(record)
    except UnicodeDecodeError as error:
        return {}, f"byte {error.start + 1} of the line: 0x{line[error.start]:02x} is no UTF-8"
    except (ValueError, RecursionError) as error:
        return {}, f"not a ledger entry ({error})"
    if line != expected:
        at = next((i for i, (a, b) in enumerate(zip(line, expected, strict=False)) if a != b), len(expected))
        return record, f"{_byte(min(at, len(line)), expected, line)} (canonical JSON)"
    if record.get("id") != digest:
        return record, f"id: the content's sha256 is {digest}, found {record.get('id')}"
    return record, ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _byte(at: int, expected: bytes, found: bytes) -> str:
    def shown(text: bytes) -> str:
        return f"0x{text[at]:02x} {chr(text[at])!r}" if at < len(text) else "the end"

    return f"byte {at + 1} of the line: expected {shown(expected)}, found {shown(found)}"


def _where(line: bytes, following: bytes) -> str:
    """Which one byte of `line` was changed, from the hashes that the line itself and the next one hold.

    Empty when it was more than one byte, or the line is too long to try all.
    """
    text = line.decode(errors="surrogateescape")
    with suppress(ValueError, RecursionError):
        whole = text[: json.JSONDecoder().raw_decode(text)[1]].encode(errors="surrogateescape") + b"\n"
        if not line.startswith(whole) and not _read(whole)[1]:
            return _byte(len(whole) - 1, whole, line)
    if not line.endswith(b"\n"):
        return f"cut off after {len(line)} bytes"
    witness = str(_read(following)[0].get("prev", "")).encode()
    split = len(line) - 1  # the changed byte may have become a line end
    for part, places in ((line[:split], range(split)), (line + following[:-1], range(split, split + 1))):
        for found in _ID.finditer(part):
            start, stop = found.span()
            body = part[:start] + part[stop:]
            digest = hashlib.sha256(body).hexdigest().encode()
            right = _BEFORE + digest + _AFTER
            differing = [i for i, (a, b) in enumerate(zip(right, found[0], strict=True)) if a != b]
            if len(differing) == 1 or (differing and digest == witness):
                at = start + differing[0]
                return _byte(at, part[:start] + right, part)
            wanted = {found[0][len(_BEFORE) : -len(_AFTER)], witness}
            shifted = [
                place if place < start else place - (stop - start) for place in places if not start <= place < stop
            ]
            if (repaired := _repaired(body, wanted, shifted)) is not None:
                at = repaired[0] if repaired[0] < start else repaired[0] + stop - start
                return _byte(at, part[:at] + bytes([repaired[1]]), part)
    return ""


def _repaired(body: bytes, digests: set[bytes], places: Sequence[int]) -> tuple[int, int] | None:
    """The place and value of the one byte with which `body` has one of the sha256 `digests`; single bits first."""
    wanted = {bytes.fromhex(text) for text in (d.decode(errors="replace") for d in digests) if _HEX.fullmatch(text)}
    for flips in ([1 << bit for bit in range(8)], range(1, 256)):
        if len(flips) * len(body) * len(places) > 2 * _SEARCH:
            return None
        for at in places:
            before, rest = hashlib.sha256(body[:at]), body[at + 1 :]
            for flip in flips:
                tried = before.copy()
                tried.update(bytes([body[at] ^ flip]) + rest)
                if tried.digest() in wanted:
                    return at, body[at] ^ flip
    return None


# The shape of a record: every field of its kind, no other, each of its type


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "is not a text"


def _amount(value: object) -> str:
    # bool is an int to Python, not to the receiver
    return "" if type(value) is int and 0 <= value <= MOST else f"is not a whole number from 0 to {MOST:.0e}"


def _positive(value: object) -> str:
    return _amount(value) or ("" if value else "is not above 0")


def _amount_or_null(value: object) -> str:
    return "" if value is None else _amount(value)


def _digest(value: object) -> str:
    return "" if isinstance(value, str) and _HEX.fullmatch(value) else "is not a sha256 in hexadecimal"


def _day(value: object) -> str:
    try:
        if isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value:
            return ""
    except ValueError:
        pass
    return "is not a day (YYYY-MM-DD)"


def _moment(value: object) -> str:
    try:
        if isinstance(value, str) and dt.datetime.fromisoformat(value).utcoffset() == dt.timedelta():
            return ""
    except ValueError:
        pass
    return "is not a time in UTC (ISO 8601)"


def _count(lowest: int, highest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        inside = type(value) is int and lowest <= value <= highest
        return "" if inside else f"is not a whole number from {lowest} to {highest}"

    return check


def _parameters(value: object) -> str:
    if isinstance(value, dict):
        return _exact(value)
    return "is not a mapping"


def _exact(value: object) -> str:
    """Floats are written differently by different programs: another one could not recompute the hash."""
    if isinstance(value, float):
        return f"holds the float {value}: write it as text, a fraction say"
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(_exact, inside)), "")


def _rows(*columns: Callable[[object], str]) -> Callable[[object], str]:
    """A list of rows in order of their first column, which is unique."""

    def check(value: object) -> str:
        if not isinstance(value, list):
            return "is not a list"
        last = None
        for number, row in enumerate(value):
            if not isinstance(row, list) or len(row) != len(columns):
                return f"row {number} is {reprlib.repr(row)}, not a list of {len(columns)}"
            for column, cell in zip(columns, row, strict=True):
                if wrong := column(cell):
                    return f"row {number} {reprlib.repr(row)}: {reprlib.repr(cell)} {wrong}"
            if last is not None and row[0] <= last:
                return f"row {number}: {reprlib.repr(row[0])} " + (
                    "is there twice" if row[0] == last else "is not in order"
                )
            last = row[0]
        return ""

    return check


_COMMON: dict[str, Callable[[object], str]] = {"kind": _text, "round": _text, "as_of": _day, "prev": _digest}
_ROUND = _COMMON | {
    "pool": _amount,
    "returned": _amount,
    "budget": _amount,
    "currency": _text,
    "decimals": _count(0, 30),
    "policy": _parameters,
    "cap": _amount_or_null,
    "owner_cap": _amount_or_null,
    "minimum": _amount,
    "floor": _amount,
    "inputs": _digest,
    "receipts": _rows(_text, _positive),
    "escrow": _rows(_text, _text, _text, _text, _positive, _day),
    "reserve": _amount,
}
_FIELDS: dict[str, dict[str, Callable[[object], str]]] = {
    "round": _ROUND,
    "correction": _ROUND | {"corrects": _digest, "reason": _text},
    "expiry": _COMMON | {"holdings": _rows(_text, _positive)},
    "release": _COMMON | {"holdings": _rows(_text, _positive, _text)},
    "payment": _COMMON
    | {
        "pays": _digest,
        "key": _digest,
        "url": _text,
        "status": _count(200, 299),
        "answer_sha256": _digest,
        "attempts": _count(1, 10**6),
        "at": _moment,
    },
}


def _misshapen(record: Mapping[str, Any]) -> Iterator[str]:
    kind = record.get("kind")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        yield f"kind {reprlib.repr(kind)} is none of {', '.join(_FIELDS)}"
        return
    if record.get("owner_cap") is not None:
        fields = fields | {"owners": _rows(_text, _amount)}
    for name in sorted(fields.keys() - record.keys()):
        yield f"{name} is missing"
    for name in sorted(record.keys() - fields.keys() - {"id"}):
        yield f"{name} is no field of a {kind}"
    for name, check in fields.items():
        if name in record and (wrong := check(record[name])):
            yield f"{name} {reprlib.repr(record[name])} {wrong}"


# What the entries must say


def _wrong(record: Mapping[str, Any], state: State, eligible: Eligible) -> list[str]:
    """The rules that `record` breaks when it comes next; its shape first, for the rules build on it."""
    return list(_misshapen(record)) or list(_RULES[record["kind"]](record, state, eligible))


def _round_rules(record: Mapping[str, Any], state: State, eligible: Eligible) -> Iterator[str]:
    known, as_of = state.rounds.get(record["round"]), record["as_of"]
    if known is None:
        known = Round(record["currency"], record["decimals"])
    if as_of in known.entries:
        yield (
            f"round {record['round']} has an entry for {as_of} with other content: "
            f"append a correction of {known.effective(as_of).id}"
        )
    elif as_of < known.latest:
        yield f"as_of {as_of} is before {known.latest}, the latest of round {record['round']}"
    if record["returned"] != known.returned:
        yield f"returned {record['returned']}, but expiries gave back {known.returned}"
    yield from _division(record, known, eligible)


def _correction_rules(record: Mapping[str, Any], state: State, eligible: Eligible) -> Iterator[str]:
    known, as_of = state.rounds.get(record["round"]), record["as_of"]
    if known is None or as_of not in known.entries:
        yield f"round {record['round']} has no entry for {as_of} to correct"
        return
    first, last = known.entries[as_of][0], known.effective(as_of)
    if record["corrects"] not in (first.id, last.id):
        yield f"corrects {record['corrects']}, but the round entry is {first.id} and its latest correction {last.id}"
    for name in ("pool", "returned", "budget"):
        if record[name] != last.record[name]:
            yield f"{name} {record[name]}, but the round has {last.record[name]}: a correction divides the same money"
    stated = {row[0]: row for row in record["escrow"]}
    for row in last.record["escrow"]:
        if row[0] in known.closed and stated.get(row[0]) != row:
            what = "has expired" if known.closed[row[0]][1] is None else "was released"
            yield f"holding {row[0]} of {row[4]} {what}: it must be in the escrow as it was"
    yield from _division(record, known, eligible)


def _division(record: Mapping[str, Any], known: Round, eligible: Eligible) -> Iterator[str]:
    """What makes a division of the budget right."""
    as_of = record["as_of"]
    for name in ("currency", "decimals"):
        if record[name] != (before := getattr(known, name)):
            yield f"{name} {record[name]}, but round {record['round']} has {before}: name a new round"
    if record["budget"] != record["pool"] + record["returned"]:
        yield f"budget {record['budget']} is not pool {record['pool']} + returned {record['returned']}"
    receipts = sum(amount for _, amount in record["receipts"])
    escrow = sum(row[4] for row in record["escrow"])
    total = receipts + escrow + record["reserve"]
    if total != record["budget"]:
        yield (
            f"receipts {receipts} + escrow {escrow} + reserve {record['reserve']} = {total}, "
            f"but the budget is {record['budget']} ({total - record['budget']:+})"
        )
    if record["floor"] > record["budget"]:
        yield f"floor {record['floor']} is more than the budget {record['budget']}"
    for holding, person, reason, subject, _, expires in record["escrow"]:
        if holding != (named := holding_id(record["round"], as_of, person, reason, subject)):
            yield f"holding {holding} of {person} must be named {named}"
        if expires <= as_of:
            yield f"holding {holding} of {person} expires on {expires}, not after {as_of}"
    yield from _over_cap(record, known.closed)
    if minimum := record["minimum"]:
        yield from _each(
            (f"{person} gets {amount}" for person, amount in _by_person(record, {}).items() if amount < minimum),
            f"below the minimum {minimum}",
        )
    if (owner_cap := record["owner_cap"]) is not None:
        yield from _each(
            (f"owner {owner} gets {amount}" for owner, amount in record["owners"] if amount > owner_cap),
            f"above the owner cap {owner_cap}",
        )
    yield from _ineligible(record, (person for person, _ in record["receipts"]), eligible)


def _by_person(record: Mapping[str, Any], closed: Mapping[str, Closed]) -> Counter[str]:
    """What each person has of a division: receipts, and escrow that waits for them or was released to them."""
    totals = Counter(dict(record["receipts"]))
    for holding, person, _, _, amount, _ in record["escrow"]:
        owner = closed[holding][1] if holding in closed else person
        if owner is not None:
            totals[owner] += amount
    return totals


def _over_cap(record: Mapping[str, Any], closed: Mapping[str, Closed]) -> Iterator[str]:
    """Two accounts of one person may each have waited below the cap: together they must not be paid above it."""
    if (cap := record["cap"]) is None:
        return
    totals = _by_person(record, closed)
    yield from _each(
        (f"{person} gets {amount}" for person, amount in totals.items() if amount > cap), f"above the cap {cap}"
    )


def _ineligible(record: Mapping[str, Any], people: Iterable[str], eligible: Eligible) -> Iterator[str]:
    allowed = eligible(record["round"], record["as_of"])
    if allowed is not None:
        yield from _each((person for person in people if person not in allowed), "not eligible")


def _each(who: Iterable[str], what: str) -> Iterator[str]:
    """One sentence for all of them: a wrong setting breaks the rule for a million at once."""
    found = list(who)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield f"{', '.join(found[:3])}{more}: {what}"


def _expiry_rules(record: Mapping[str, Any], state: State, _eligible: Eligible) -> Iterator[str]:
    yield from _closing(record, state, lambda expires: expires <= record["as_of"], "has not expired")


def _release_rules(record: Mapping[str, Any], state: State, eligible: Eligible) -> Iterator[str]:
    problems = list(_closing(record, state, lambda expires: expires > record["as_of"], "has expired"))
    yield from problems
    yield from _ineligible(record, (person for _, _, person in record["holdings"]), eligible)
    if problems:
        return
    known = state.rounds[record["round"]]
    released: dict[str, Closed] = {
        holding: (known.holdings[holding], person) for holding, _, person in record["holdings"]
    }
    for as_of in sorted({held.as_of for held, _ in released.values()}):
        yield from _over_cap(known.effective(as_of).record, known.closed | released)


def _closing(record: Mapping[str, Any], state: State, due: Callable[[str], bool], otherwise: str) -> Iterator[str]:
    """What an expiry and a release have in common."""
    known = state.rounds.get(record["round"])
    if known is None:
        yield f"there is no round {record['round']}"
        return
    if record["as_of"] < known.latest:
        yield f"as_of {record['as_of']} is before {known.latest}, the latest of round {record['round']}"
    if not record["holdings"]:
        yield "holdings is empty"
    for holding, amount, *_ in record["holdings"]:
        held = known.holdings.get(holding)
        if held is None:
            yield f"holding {holding} is not open in round {record['round']}"
        elif held.amount != amount:
            yield f"holding {holding} has {held.amount}, not {amount}"
        elif not due(held.expires):
            yield f"holding {holding} {otherwise} on {record['as_of']}: it expires on {held.expires}"


def _payment_rules(record: Mapping[str, Any], state: State, _eligible: Eligible) -> Iterator[str]:
    paid = state.entries.get(record["pays"])
    if paid is None or paid.record["kind"] not in PAYABLE:
        yield f"pays {record['pays']}, which is no {', '.join(sorted(PAYABLE))} entry"
        return
    if (before := state.payments.get(paid.id)) is not None:
        yield f"entry {paid.id} is paid already, at {before.record['at']} (line {before.number})"
    for name, expected in {"key": paid.id, "round": paid.record["round"], "as_of": paid.record["as_of"]}.items():
        if record[name] != expected:
            yield f"{name} {record[name]}, but the paid entry's is {expected}"


_RULES: dict[str, Callable[[Mapping[str, Any], State, Eligible], Iterator[str]]] = {
    "round": _round_rules,
    "correction": _correction_rules,
    "expiry": _expiry_rules,
    "release": _release_rules,
    "payment": _payment_rules,
}


def _apply(state: State, entry: Entry) -> None:
    """Take in an entry of right shape."""
    record = entry.record
    state.head = entry.id
    state.entries[entry.id] = entry
    if record["kind"] == "payment":
        state.payments[record["pays"]] = entry
        return
    name = record["round"]
    if record["kind"] in ("round", "correction"):
        known = state.rounds.setdefault(name, Round(record["currency"], record["decimals"]))
        _divide(known, entry)
    else:
        known = state.rounds[name]
        for holding, amount, *to in record["holdings"]:
            known.closed[holding] = (known.holdings.pop(holding), to[0] if to else None)
            if to:
                _earn(known.earned, [(to[0], amount)], 1)
            else:
                known.returned += amount
    known.latest = max(known.latest, record["as_of"])


def _divide(known: Round, entry: Entry) -> None:
    record = entry.record
    said = known.entries.setdefault(record["as_of"], [])
    if said:
        _earn(known.earned, said[-1].record["receipts"], -1)
        known.reserve -= said[-1].record["reserve"]
        for holding, *_ in said[-1].record["escrow"]:
            known.holdings.pop(holding, None)
    else:
        known.returned = 0
    said.append(entry)
    _earn(known.earned, record["receipts"], 1)
    known.reserve += record["reserve"]
    for holding, person, reason, subject, amount, expires in record["escrow"]:
        if holding not in known.closed:
            known.holdings[holding] = Holding(holding, person, reason, subject, amount, expires, record["as_of"])


def _earn(earned: dict[str, int], receipts: Iterable[tuple[str, int]], sign: int) -> None:
    for person, amount in receipts:
        earned[person] = earned.get(person, 0) + sign * amount
        if not earned[person]:
            del earned[person]
