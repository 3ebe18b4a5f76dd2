"""`coevo rewards …`: a pool divided by anyone's scores, anyone's payout table audited, and the lake's own rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    day_of,
    existing_lake,
    not_an_input,
    settings_of,
)

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.rewards.ledger import Entry
    from coevo_pipelines.settings import Settings

rewards = typer.Typer(
    name="rewards",
    no_args_is_help=True,
    help="Who gets what of a pool, and why: divide, audit, explain, replay, export, send.",
)


class PolicyName(StrEnum):
    IMMEDIATE = "IMMEDIATE"
    RECENT = "RECENT"
    BALANCED = "BALANCED"
    SPECIAL = "SPECIAL"


PoolOption = Annotated[str, typer.Option("--pool", help="The money, in minor units (with --places: in the currency).")]
CapOption = Annotated[str | None, typer.Option("--cap", help="Most for one recipient: 5% of the pool, or an amount.")]
PlacesOption = Annotated[
    int, typer.Option("--places", min=0, max=30, help="Decimals of the currency: amounts are read and written so.")
]
RoundOption = Annotated[
    str | None, typer.Option("--round", help="Name of the round (setting rounds); not needed where there is one.")
]
DateOption = Annotated[str | None, typer.Option("--date", help="As of this day; default: the last that there is.")]
EntryOption = Annotated[
    str | None, typer.Option("--entry", help="Beginning of a ledger entry's id, of a release say, instead of --date.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it. Without, it is only shown what would be done.")]


@rewards.command("allocate")
def allocate_(
    scores: Annotated[
        Path, typer.Argument(help="Scores as .csv or .parquet: columns recipient, score; optional date, earned.")
    ],
    pool: PoolOption,
    out: Annotated[Path, typer.Option("--out", help="Where to write recipient, amount: .csv or .parquet.")],
    cap: CapOption = None,
    minimum: Annotated[str, typer.Option("--min", help="Least that is paid; smaller parts go to the others.")] = "0",
    floor: Annotated[str, typer.Option("--floor", help="Divided equally among all: 10% of the pool, or an amount.")] = (
        "0"
    ),
    policy: Annotated[PolicyName, typer.Option("--policy", help="By what the rest is divided.")] = (
        PolicyName.IMMEDIATE
    ),
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=1000, help="Days that count up to the list's last: IMMEDIATE 1, RECENT 90."),
    ] = None,
    discount: Annotated[str, typer.Option("--discount", help="RECENT: what a score loses a day, 0 to 1.")] = "0.5",
    paid: Annotated[
        str | None, typer.Option("--paid", help="BALANCED: paid to anybody so far; default: the sum of earned.")
    ] = None,
    recipient: Annotated[str | None, typer.Option("--recipient", help="SPECIAL: who gets it.")] = None,
    memo: Annotated[str | None, typer.Option("--memo", help="SPECIAL: what for.")] = None,
    most: Annotated[str | None, typer.Option("--most", help="SPECIAL: the most that it may spend.")] = None,
    places: PlacesOption = 0,
    sum_duplicates: Annotated[
        bool, typer.Option("--sum-duplicates", help="Add up several rows of a recipient; else they are an error.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Divide a pool by a list of scores of your own, exact to the unit.

    The floor is divided equally, the rest by the policy: IMMEDIATE by score, RECENT by score that fades from day to
    day (column date), BALANCED by what is missing to each one's share of all money so far (column earned; empty is
    0), SPECIAL all to one. Who would get more than the cap gets the cap, whose part is below the minimum gets
    nothing, and both go to the others; what nobody may get stays in reserve. Whole units by largest remainder, ties
    by recipient id. Scores are exact decimals of any size (1e-18 to 1e18 and more); only their proportions count.

    OUT has a row for everybody who gets something, in order of recipient id. Rows that cannot be read are counted and
    written to OUT.rejects.csv.

    \b
    Example: 10,000.00 euros, none above a twentieth
      coevo rewards allocate scores.csv --pool 10000 --places 2 --cap 5% --floor 10% --min 2 --out receipts.csv
    """
    from coevo_pipelines.rewards import standalone
    from coevo_pipelines.rewards.tables import write_rows
    from coevo_pipelines.terminal import json_out

    _writable(out)
    rejects = out.with_name(f"{out.name}.rejects.csv")
    not_an_input((out, rejects), (scores,))
    _special_is_whole(policy, recipient, memo)
    whole = _units("pool", pool, places)
    rules = standalone.Rules(
        pool=whole,
        cap=None if cap is None else _part("cap", cap, whole, places),
        minimum=_units("min", minimum, places),
        floor=_part("floor", floor, whole, places),
        policy=policy.value,
        days=days,
        discount=_discount(discount),
        paid=None if paid is None else _units("paid", paid, places),
        recipient=recipient,
        most=None if most is None else _units("most", most, places),
    )
    try:
        divided = standalone.divide(scores, rules, places=places, sum_duplicates=sum_duplicates)
    except FileNotFoundError:
        raise UsageError(f"{scores}: there is no such file") from None
    except ValueError as error:
        raise UsageError(str(error)) from error
    written = standalone.write(divided, out, places)
    if divided.rejects.height:
        write_rows(divided.rejects, rejects)
    else:
        rejects.unlink(missing_ok=True)
    facts = _divided(divided, written, places) | {"memo": memo, "out": str(out)}
    if as_json:
        json_out(facts)
    else:
        _show_divided(facts, rejects)


@rewards.command("audit")
def audit_(
    table: Annotated[Path, typer.Argument(help="Payouts as .csv or .parquet: columns recipient, amount.")],
    pool: PoolOption,
    cap: CapOption = None,
    minimum: Annotated[str | None, typer.Option("--min", help="Least that the round pays.")] = None,
    places: PlacesOption = 0,
    eligible: Annotated[
        Path | None, typer.Option("--eligible", help="Who may be paid, .csv or .parquet: column recipient.")
    ] = None,
    show: Annotated[int, typer.Option("--show", min=1, help="How many findings of each kind to name.")] = 20,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check anyone's published payout table: sum, cap, minimum, duplicates, negative and zero amounts, rounding.

    Exit code 0 when nothing is found, 1 after naming each finding with its line.

    \b
    Example: a round that says to have paid 1,300,000.00, nobody more than 5%
      coevo rewards audit payouts.csv --pool 1300000 --places 2 --cap 5% --min 200
    """
    from dataclasses import asdict

    from coevo_pipelines.rewards import audit as audits
    from coevo_pipelines.rewards.tables import read_rows
    from coevo_pipelines.terminal import json_out, say

    try:
        limit = None if cap is None else audits.cap_of(cap)
        allowed = None
        if eligible is not None:
            allowed = set(read_rows(eligible, ("recipient",))["recipient"].drop_nulls())
        read = audits.read_table(table)
        least = None if minimum is None else _number("min", minimum)
        found = audits.audit(read, _number("pool", pool), limit, least, places=places, eligible=allowed, show=show)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename}: there is no such file") from None
    except ValueError as error:
        raise UsageError(str(error)) from error
    if as_json:
        json_out({"table": str(table), "rows": read.rows.height, "findings": [asdict(each) for each in found]})
    elif found:
        for each in found:
            who = f" {each.recipient}" if each.recipient is not None else ""
            where = f" (line {each.line})" if each.line is not None else ""
            say(f"{each.kind}{who}{where}: {each.message}", style="red", error=True)
    else:
        say(f"{table}: {read.rows.height:,} rows, the sum is the pool, and nothing else was found")
    if found:
        raise typer.Exit(1)


@rewards.command()
def explain(
    person: Annotated[str, typer.Argument(help="A person, account, ORCID iD, or author of a work as work#2.")],
    round: RoundOption = None,
    date: DateOption = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Also what the amount were without each link, source and parameter.")
    ] = False,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Why somebody gets what he gets: the links and works that brought it, what is held and what to do about it.

    The parts add up to the receipt exactly. Money goes by influence in guarded mode; `--what-if` tells what open
    mode would make of it.

    \b
    Examples:
      coevo rewards explain person:sample-yang
      coevo rewards explain github:ada --round main --date 2026-03-31 --what-if
    """
    from coevo_pipelines.rewards import asked
    from coevo_pipelines.terminal import json_out

    settings, store, day = _at(lake, source, date)
    snapshot = store.snapshot()
    found = asked.explain(snapshot, day, round, person, settings)
    changes = None
    if what_if:
        from coevo_pipelines.rewards.sensitivity import changes as changes_of

        name = found.round["round"]
        current = next((each for each in settings.reward_rounds if each.name == name), None)
        if current is None:
            raise UsageError(f"round {name} is not in the settings any more: --what-if needs its rules")
        changes = changes_of(snapshot, day, settings, current, found.person_id)
        changes = sorted(changes, key=lambda each: -abs(each.after - each.before))
    if as_json:
        json_out(_explained(found, day, changes))
    else:
        _show_explained(found, day, changes)


@rewards.command()
def show(
    round: RoundOption = None,
    date: DateOption = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the Lorenz curve to this .svg file.")] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """A round as of a day: the pool and where all of it goes, who gets most, how unequally, what waits in escrow.

    \b
    Example:
      coevo rewards show --round sample --picture lorenz.svg
    """
    from coevo_pipelines.lake.ledger import write_whole
    from coevo_pipelines.rewards import asked, concentration
    from coevo_pipelines.terminal import json_out, say

    if picture is not None and (picture.suffix.lower() != ".svg" or not picture.absolute().parent.is_dir()):
        raise UsageError(f"--picture {picture}: name a .svg file in a folder that is there")
    _, store, day = _at(lake, source, date)
    found = asked.show(store.snapshot(), day, round)
    if picture is not None:
        write_whole(picture, concentration.picture(found.amounts, f"Round {found.row['round']}, {day}"))
    if as_json:
        json_out(_shown(found, day))
    else:
        _show_round(found, day)
        if picture is not None:
            say(f"Written: {picture}", style="bold green")


@rewards.command()
def replay(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Replay the reward ledger from its first entry and compare it with the lake's tables.

    Every entry is checked again: the chain of hashes, sums, caps, and who may be paid by the tables of the day. Exit
    code 0 when all agrees, 1 after naming each finding: a changed byte, a wrong sum, a missing end.

    \b
    Example:
      coevo rewards replay --lake data_lake
    """
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.rewards import asked
    from coevo_pipelines.terminal import json_out, say

    snapshot = Lake(existing_lake(settings_of(lake, source))).snapshot()
    found = asked.replay(snapshot)
    if as_json:
        amounts = {"paid", "escrow", "reserve", "returned"}
        sums = [{k: str(v) if k in amounts else v for k, v in each.items()} for each in found.rounds]
        json_out({"entries": found.entries, "rounds": sums, "findings": found.findings})
    else:
        for each in found.rounds:
            units = (each["currency"], each["decimals"])
            say(
                f"round {each['round']}: paid on {each['days']:,} days to {each['people']:,} people "
                f"{_money(each['paid'], *units)}; in escrow {_money(each['escrow'], *units)}, in reserve "
                f"{_money(each['reserve'], *units)}, back from escrow for the next round "
                f"{_money(each['returned'], *units)}"
            )
        for line in found.findings:
            say(line, style="red", error=True)
        if not found.findings:
            say(f"replayed: {found.entries:,} entries; ledger and tables agree", style="bold green")
    if found.findings:
        raise typer.Exit(1)


@rewards.command()
def export(
    format: Annotated[str, typer.Option("--format", help="One of those that --list shows.")] = "",
    round: RoundOption = None,
    date: DateOption = None,
    entry: EntryOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files.")] = None,
    collective: Annotated[
        str | None, typer.Option("--collective", help="Open Collective: slug of the collective that pays.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files of an earlier export.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also where the ledger says that this money was sent already.")
    ] = False,
    list_formats: Annotated[bool, typer.Option("--list", help="Show the formats.")] = False,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a paid round as files for a system that pays. Nothing is paid by it.

    What is exported is the ledger's entry that holds: the round, or its last correction. Escrow that was released is
    an entry of its own (--entry). Addresses are those known on the day of the entry: the register's, and those in
    files of repositories whose owner's account the person has claimed. Who cannot be paid this way is named with the
    reason, here and in FORMAT.people.csv.

    \b
    Example:
      coevo rewards export --format drips --round sample --out payouts/2026-03
    """
    from coevo_pipelines.rewards import asked
    from coevo_pipelines.rewards.exports import files, formats
    from coevo_pipelines.rewards.ledger import RewardLedger
    from coevo_pipelines.terminal import json_out, rows_table, say

    if list_formats:
        about = {name: form.about for name, form in formats.FORMATS.items()}
        if as_json:
            json_out(about)
        else:
            rows_table(("format", "for"), list(about.items()))
        return
    if not format or out is None:
        raise UsageError(f"give --format and --out FOLDER; formats: {', '.join(formats.FORMATS)} (--list tells more)")
    settings, store, day = _for_ledger(lake, source, date)
    snapshot, state = store.snapshot(), RewardLedger(store.root).replay()
    chosen = asked.entry_of(state, _only_round(round, state.rounds), day, entry)
    paid = asked.payable(snapshot, state, chosen, settings, collective)
    before = asked.paid_before(state, chosen)
    if before is not None and not again:
        raise UsageError(
            f"the ledger says that this money was sent to {before.record['url']} on {before.record['at']}: "
            "to pay it again would pay it twice (--again writes the files nevertheless)"
        )
    made = formats.export(format, paid)
    written = files.write(made, out, overwrite=overwrite)
    releases = asked.releases_of(state, chosen) if chosen.record["kind"] != "release" else []
    notes = [
        *made.notes,
        *(f"not in these files: escrow released by entry {one[:12]} (--entry {one[:12]})" for one in releases),
    ]
    if as_json:
        json_out(
            {
                **_entry(chosen),
                "format": format,
                "currency": paid.currency,
                "decimals": paid.decimals,
                "files": [str(path) for path in written],
                "payees": len(paid.payees),
                "total": str(made.total),
                "left_out": [{"person_id": who, "amount": str(n), "reason": why} for who, n, why in made.left_out],
                "notes": notes,
                "paid": False,
            }
        )
        return
    units = (paid.currency, paid.decimals)
    say(f"Round {paid.round} of {paid.as_of}, entry {paid.entry[:12]}, {formats.FORMATS[format].about}", style="bold")
    say(f"{len(paid.payees):,} payees; the files cover {_money(made.total, *units)}")
    for who, amount, why in made.left_out:
        say(f"  left out: {who}, {_money(amount, *units)}: {why}", style="yellow")
    for note in notes:
        say(f"  note: {note}")
    say(f"Written: {', '.join(map(str, written))}", style="bold green")
    say("Nothing has been paid: these files tell another system whom to pay.")


@rewards.command()
def send(
    url: Annotated[str, typer.Option("--url", help="Where to post the receipts: https, or http on this machine.")],
    round: RoundOption = None,
    date: DateOption = None,
    entry: EntryOption = None,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the secret to sign with (whsec_ and base64).")
    ] = None,
    yes: YesOption = False,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Post a paid round's ledger entry to a webhook, once, and enter the answer in the ledger.

    The request carries the entry's id as Idempotency-Key, the same on every attempt and after a crash, so a receiver
    books it once. Without --yes it is only shown. An entry that the ledger says is sent is not sent again.

    \b
    Example:
      coevo rewards send --round sample --url https://pay.example.org/rounds --secret-file secret.txt
    """
    from coevo_pipelines.rewards import asked, webhook
    from coevo_pipelines.rewards.ledger import RewardLedger
    from coevo_pipelines.terminal import json_out, say

    _, store, day = _for_ledger(lake, source, date)
    ledger = RewardLedger(store.root)
    state = ledger.replay()
    chosen = asked.entry_of(state, _only_round(round, state.rounds), day, entry)
    done = webhook.send(ledger, chosen.id, url, dry_run=not yes, secret=_secret(secret_file))
    if isinstance(done, webhook.DryRun):
        if as_json:
            json_out({**_entry(chosen), "sent": False, "headers": dict(done.headers), "body": done.body.decode()})
            return
        say(f"Would POST {len(done.body):,} bytes to {done.url.partition('?')[0]}", style="bold")
        for name, value in done.headers.items():
            say(f"  {name}: {value}")
        say(done.body.decode())
        say("Nothing has been sent: add --yes to send it.", style="yellow")
        return
    record = done.payment.record
    if as_json:
        json_out({**_entry(chosen), "sent": True, "now": done.now, "payment": dict(record)})
    elif done.now:
        say(f"Sent: HTTP {record['status']} after {record['attempts']} attempts; entry {done.payment.id[:12]} says so")
    else:
        say(f"Not sent again: it was on {record['at']} to {record['url']} (entry {done.payment.id[:12]})")


@rewards.command()
def correct(
    date: Annotated[str, typer.Option("--date", help="Day whose entry is corrected.")],
    reason: Annotated[str, typer.Option("--reason", help="Why: it stays in the ledger.")],
    round: RoundOption = None,
    yes: YesOption = False,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Enter what the lake's tables say today about a paid day as a correction of its ledger entry.

    The entry itself stays. What differs is shown for each person; without --yes that is all that is done. A
    correction divides the same money; what was released or has expired cannot change.

    \b
    Example:
      coevo rewards correct --round sample --date 2026-03-31 --reason "a work was listed twice"
    """
    from coevo_pipelines.rewards import asked, settling
    from coevo_pipelines.rewards.ledger import RewardLedger
    from coevo_pipelines.terminal import json_out, rows_table, say

    _, store, day = _for_ledger(lake, source, date)
    assert day is not None
    ledger, snapshot = RewardLedger(store.root), store.snapshot()
    state = ledger.replay()
    name = _only_round(round, state.rounds)
    found = asked.correction(snapshot, state, name, day, reason)
    entered = None
    if yes and found.changes:
        entered = ledger.append(found.draft, eligible=settling.eligible(snapshot, name, day))
    if as_json:
        columns = ("person_id", "receipt_before", "receipt_after", "held_before", "held_after")
        json_out(
            {
                **_entry(found.before),
                "differs": found.changes,
                "people": [dict(zip(columns, (who, *map(str, each)), strict=True)) for who, *each in found.people],
                "sent": None if found.payment is None else found.payment.record["at"],
                "correction": None if entered is None else entered.id,
            }
        )
        return
    record = found.before.record
    units = (record["currency"], record["decimals"])
    if not found.changes:
        say(f"Round {name} of {day}: the tables say what the ledger says; there is nothing to correct")
        return
    say(f"Round {name} of {day}, entry {found.before.id[:12]}: differs in {', '.join(found.changes)}", style="bold")
    cells = [(who, *(_money(each, *units) for each in amounts)) for who, *amounts in found.people]
    rows_table(("person", "receipt", "would be", "held", "would be"), cells)
    if found.payment is not None:
        say(f"This money was sent on {found.payment.record['at']}: a correction does not fetch it back", style="yellow")
    if entered is None:
        say("Nothing has been entered: add --yes to enter it.", style="yellow")
    else:
        say(f"Entered: correction {entered.id}", style="bold green")


# --- what was asked --------------------------------------------------------------------------------------------------


def _at(lake: Path | None, source: Any, date: str | None) -> tuple[Settings, Lake, Any]:
    """Settings, the lake, and a day that has rounds; the last one when none is named."""
    from coevo_pipelines.lake.store import Lake

    settings = settings_of(lake, source)
    store = Lake(existing_lake(settings))
    days = [commit.day for commit in store.snapshot().index.partitions("rewards.rounds")]
    if not days:
        raise UsageError(f"{store.root} has no rounds yet: `coevo run --date YYYY-MM-DD` makes them")
    day = day_of(date, settings) if date else days[-1]
    if day not in days:
        raise UsageError(f"there are no rounds of {day}; there are from {days[0]} to {days[-1]}")
    return settings, store, day


def _for_ledger(lake: Path | None, source: Any, date: str | None) -> tuple[Settings, Lake, Any]:
    """As `_at`, but for the day: None when none is named."""
    settings, store, day = _at(lake, source, date)
    return settings, store, day if date else None


def _only_round(name: str | None, rounds: Mapping[str, Any]) -> str:
    if name is not None:
        return name
    if len(rounds) == 1:
        return next(iter(rounds))
    there = f"it has {', '.join(sorted(rounds))}" if rounds else "it is empty"
    raise UsageError(f"name a round of the reward ledger with --round; {there}")


def _writable(out: Path) -> None:
    if out.suffix.lower() not in {".parquet", ".csv"}:
        raise UsageError(f"--out {out}: the name ends in .parquet or .csv")
    if out.is_dir():
        raise UsageError(f"--out {out}: this is a folder; name a file in it")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.absolute().parent}")


def _special_is_whole(policy: PolicyName, recipient: str | None, memo: str | None) -> None:
    if policy is PolicyName.SPECIAL and not (recipient and memo):
        raise UsageError("SPECIAL needs --recipient, and --memo to say what for")


def _number(name: str, text: str) -> Decimal:
    from coevo_pipelines.rewards.tables import exactly

    value = exactly(text)
    if value is None:
        raise UsageError(f"--{name} {text!r}: give a number such as 1000 or 1000.50")
    return value


def _units(name: str, text: str, places: int) -> int:
    """An amount as minor units."""
    from coevo_pipelines.rewards.standalone import MOST
    from coevo_pipelines.rewards.tables import minor_units

    try:
        return minor_units(_number(name, text), places, MOST, name)
    except ValueError as error:
        raise UsageError(f"{error}; at most 10^30 of them") from None


def _part(name: str, text: str, pool: int, places: int) -> int:
    """`5%` of the pool, rounded down, or an amount, as minor units."""
    from fractions import Fraction

    if not text.strip().endswith("%"):
        return _units(name, text, places)
    share = Fraction(_number(name, text.strip().removesuffix("%"))) / 100
    if not 0 <= share <= 1:
        raise UsageError(f"--{name} {text}: a share is from 0% to 100%")
    return int(pool * share)


def _discount(text: str) -> Fraction:
    from fractions import Fraction

    value = Fraction(_number("discount", text))
    if not 0 <= value <= 1:
        raise UsageError(f"--discount {text}: give a number from 0 to 1")
    return value


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--secret-file {path}: cannot be read ({error})") from None


# --- what is told ----------------------------------------------------------------------------------------------------


def _money(amount: int, currency: str, decimals: int) -> str:
    whole, part = divmod(int(amount), 10**decimals)
    return f"{whole:,}{f'.{part:0{decimals}d}' if decimals else ''} {currency}"


def _change(amount: int, currency: str, decimals: int) -> str:
    return ("-" if amount < 0 else "+") + _money(abs(amount), currency, decimals)


def _entry(entry: Entry) -> dict[str, Any]:
    record = entry.record
    return {"round": record["round"], "date": record["as_of"], "kind": record["kind"], "entry": entry.id}


def _percent(share: Fraction | float | None) -> str:
    return "-" if share is None else f"{100 * float(share):.1f} %"


def _divided(divided: Any, written: int, places: int) -> dict[str, Any]:
    from coevo_pipelines.rewards.concentration import concentration
    from coevo_pipelines.rewards.tables import in_decimals

    done, rules = divided.allocation, divided.rules
    spread = concentration([amount for amount in done.amounts if amount])
    capped = [who for who, is_capped in zip(divided.recipients, done.capped, strict=True) if is_capped]
    return {
        "pool": in_decimals(rules.pool, places),
        "paid": in_decimals(divided.paid, places),
        "reserve": in_decimals(done.reserve, places),
        "cap": None if rules.cap is None else in_decimals(rules.cap, places),
        "minimum": in_decimals(rules.minimum, places),
        "floor": in_decimals(rules.floor, places),
        "policy": rules.policy,
        "last_day": divided.last,
        "rows": divided.rows,
        "recipients": len(divided.recipients),
        "paid_recipients": written,
        "capped": capped,
        "dropped": sum(done.dropped),
        "gini": None if spread.gini is None else float(spread.gini),
        "top_10_share": None if spread.top_10 is None else float(spread.top_10),
        "rejected": dict(divided.rejected),
        "older_rows": divided.older,
        "recipients_summed": divided.summed,
        "alike": list(divided.alike),
    }


def _show_divided(facts: Mapping[str, Any], rejects: Path) -> None:
    from coevo_pipelines.terminal import say

    say(f"pool {facts['pool']}, paid {facts['paid']}, reserve {facts['reserve']}", style="bold")
    say(f"{facts['paid_recipients']:,} of {facts['recipients']:,} recipients get something, by {facts['policy']}")
    for name in facts["capped"][:10]:
        say(f"  at the cap of {facts['cap']}: {name}")
    if len(facts["capped"]) > 10:
        say(f"  and {len(facts['capped']) - 10:,} more at the cap")
    notes = [(facts["dropped"], f"get nothing: their part is below the minimum of {facts['minimum']}")]
    zeros = facts["recipients"] - facts["paid_recipients"] - facts["dropped"]
    notes += [(zeros, "get nothing: their part is less than a unit")]
    notes += [(facts["older_rows"], f"rows are too old to count on {facts['last_day']}, the last day")]
    notes += [(facts["recipients_summed"], "recipients have several rows, which were added up")]
    notes += [(count, f"rows left out: {reason}") for reason, count in facts["rejected"].items()]
    for count, what in notes:
        if count:
            say(f"  {count:,} {what}", style="yellow")
    for names in facts["alike"]:
        say(f"  taken for different recipients: {names}", style="yellow")
    if facts["gini"] is not None:
        say(f"Gini {facts['gini']:.3f}, the ten that get most have {_percent(facts['top_10_share'])}")
    if facts["memo"]:
        say(f"memo: {facts['memo']}")
    say(f"Written: {facts['out']}" + (f", and {rejects}" if facts["rejected"] else ""), style="bold green")


def _explained(found: Any, day: Any, changes: Sequence[Any] | None) -> dict[str, Any]:
    given = found.allocation or {}
    row = found.round
    return {
        "round": row["round"],
        "date": day,
        "asked": found.asked,
        "person_id": found.person_id,
        "name": given.get("name"),
        "currency": row["currency"],
        "decimals": row["decimals"],
        **{name: str(int(given.get(name, 0))) for name in ("amount", "floor", "receipt", "held")},
        "is_capped": given.get("is_capped", False),
        "is_dropped": given.get("is_dropped", False),
        "is_paid": row["is_paid"],
        "why_not": row["why_not"],
        "entry": found.entry,
        "sent": found.sent,
        "claims": dict(found.claims),
        "addresses": dict(found.addresses),
        "parts": [each | {"amount": str(int(each["amount"]))} for each in found.parts.to_dicts()],
        "held_back": [
            {name: each[name] for name in ("subject", "held", "works")}
            for each in found.rows.to_dicts()
            if each["held"] is not None
        ],
        "escrow": [each | {"amount": str(int(each["amount"]))} for each in found.holdings.to_dicts()],
        "to_do": {reason: _to_do(reason) for reason in found.reasons},
        "what_if": None
        if changes is None
        else [{"what": c.what, "before": str(c.before), "after": str(c.after)} for c in changes],
    }


def _to_do(reason: str) -> str:
    from coevo_pipelines.rewards.asked import TO_DO

    return TO_DO[reason]


def _show_explained(found: Any, day: Any, changes: Sequence[Any] | None) -> None:
    from coevo_pipelines.terminal import rows_table, say

    row, given = found.round, found.allocation
    units = (row["currency"], row["decimals"])
    name = f"  {given['name']}" if given and given["name"] else ""
    also = f" (asked for {found.asked})" if found.asked != found.person_id else ""
    say(f"{found.person_id}{name}{also}", style="bold")
    if given is None:
        say(f"Round {row['round']} as of {day}: no part in it under this name")
    else:
        say(
            f"Round {row['round']} as of {day}: {_money(given['amount'], *units)}, of which "
            f"{_money(given['receipt'], *units)} may be paid and {_money(given['held'], *units)} is held back; "
            f"{_money(given['floor'], *units)} of it is the equal part"
        )
        if given["is_capped"]:
            say(f"  held down by the cap of {_money(row['cap'], *units)}")
        if given["is_dropped"]:
            say(f"  nothing: below the minimum of {_money(row['minimum'], *units)}")
    if not row["is_paid"]:
        say(f"Not paid: {row['why_not']}", style="yellow")
    elif found.entry is not None and given and given["receipt"]:
        say(f"Ledger entry {found.entry}" + (f", sent {found.sent}" if found.sent else ", not sent yet"))
    if found.parts.height:
        say(f"What brings the {_money(sum(map(int, found.parts['amount'])), *units)}:")
        rows_table(
            ("amount", "part", "work", "is used by", "as"), [_part_row(each, units) for each in found.parts.to_dicts()]
        )
    for subject, against in found.claims.items():
        say(f"claims to be {subject}: " + (f"does not count ({against})" if against else "counts"), style="dim")
    _show_held(found, units)
    if given and given["receipt"]:
        where = ", ".join(f"{channel} {address}" for channel, address in found.addresses.items())
        say(f"To be paid at: {where}" if where else "No payout address is known: add payout to the claim", style="dim")
    if changes is not None:
        say("What if:")
        rows_table(
            ("change", "would get", "otherwise"),
            [(_change(c.after - c.before, *units), _money(c.after, *units), c.what) for c in changes],
        )


def _part_row(each: Mapping[str, Any], units: tuple[str, int]) -> tuple[str, ...]:
    def named(column: str) -> str:
        return "  ".join(filter(None, (each[column], each[f"{column}_title"])))

    return _money(each["amount"], *units), each["part"], named("work_id"), named("via"), each["relation"] or ""


def _show_held(found: Any, units: tuple[str, int]) -> None:
    from coevo_pipelines.terminal import rows_table, say

    if found.holdings.height:
        say("In escrow:")
        rows_table(
            ("amount", "of", "why", "for", "state", "until"),
            [
                (
                    _money(each["amount"], *units), each["opened"], each["held"], each["subject"],
                    each["state"] + (f" to {each['released_to']}" if each["released_to"] else ""),
                    each["expires"] if each["state"] == "open" else "",
                )
                for each in found.holdings.to_dicts()
            ],
        )  # fmt: skip
    for reason in found.reasons:
        say(f"  {reason}: {_to_do(reason)}", style="yellow")


def _shown(found: Any, day: Any) -> dict[str, Any]:
    from decimal import Decimal

    plain = {name: str(int(v)) if isinstance(v, Decimal) else v for name, v in found.row.items() if name != "policy"}
    return {
        **plain,
        "date": day,
        "capped": list(found.capped),
        "dropped": found.dropped,
        "top": [{"person_id": t["person_id"], "name": t["name"], "amount": str(int(t["amount"]))} for t in found.top],
        "escrow_by_reason": {reason: {"holdings": n, "amount": str(total)} for reason, n, total in found.escrow},
        "next_expiry": None if found.next_expiry is None else [found.next_expiry[0], str(found.next_expiry[1])],
        "entry": found.entry,
        "sent": found.sent,
    }


def _show_round(found: Any, day: Any) -> None:
    from coevo_pipelines.terminal import rows_table, say

    row = found.row
    units = (row["currency"], row["decimals"])

    def money(name: str) -> str:
        return _money(row[name], *units)

    state = "paid" if row["is_paid"] else f"not paid: {row['why_not']}"
    say(f"Round {row['round']} as of {day} ({state})", style="bold")
    say(f"pool {money('pool')} + {money('returned')} back from escrow = {money('budget')}")
    say(f"  receipts {money('receipts')}, escrow {money('escrow')}, reserve {money('reserve')}")
    limits = [f"{label} {money(name)}" for name, label in _LIMITS.items() if row[name] is not None]
    say(f"  {', '.join(limits)}; {len(found.capped):,} at the cap, {found.dropped:,} below the minimum")
    if row["gini"] is not None:
        top = _percent(row["top_10_share"])
        say(f"{row['recipients']:,} get something: Gini {row['gini']:.3f}, the ten that get most have {top}")
    cells = [
        (_money(t["amount"], *units), _money(t["receipt"], *units), t["person_id"], t["name"] or "") for t in found.top
    ]
    rows_table(("amount", "may be paid", "person", "name"), cells)
    if found.escrow:
        say("Open in escrow:")
        for reason, count, total in found.escrow:
            say(f"  {reason}: {_money(total, *units)} in {count:,} holdings")
    if found.next_expiry is not None:
        say(f"On {found.next_expiry[0]} {_money(found.next_expiry[1], *units)} of it goes back to the pool")
    if found.entry is None:
        say("Not in the reward ledger")
    else:
        say(f"Ledger entry {found.entry}, " + (f"sent {found.sent}" if found.sent else "not sent yet"))


_LIMITS = {"floor": "floor", "minimum": "minimum", "cap": "cap", "owner_cap": "cap for owners"}
