"""`coevo rewards …` by the real command: files, words, exit codes; and the questions about the lake's rounds."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest

from coevo_pipelines import cli
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.rewards.ledger import RewardLedger
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import DAYS, coevo

Typed = Callable[..., tuple[int, str, str]]

YANG, ADA, BEN, GEEM = (f"person:sample-{name}" for name in ("yang", "ada", "ben", "geem"))
SECRET = "whsec_" + "A" * 32


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["coevo", "rewards", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def of_sample(typed: Typed, sample: Settings) -> Typed:
    """A question to the sample's lake."""
    return lambda *arguments: typed(*arguments, "--lake", str(sample.lake_root))


@pytest.fixture
def own(sample: Settings, tmp_path: Path) -> Path:
    """A copy of the sample's lake, to write to."""
    return Path(shutil.copytree(sample.lake_root, tmp_path / "lake"))


def answered(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result[2]
    return json.loads(result[1])


def refused(result: tuple[int, str, str], *words: str, code: int = 2) -> None:
    assert result[0] == code, result
    for word in words:
        assert word in result[2]


# --- allocate --------------------------------------------------------------------------------------------------------


def test_a_list_of_scores_becomes_receipts_that_pass_the_audit(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("recipient,score\nada,50\nben,30\ncleo,15\ndora,5\n,7\neve,?\n")
    rules = ("--pool", "10.00", "--places", "2", "--cap", "40%", "--min", "1")
    done = coevo("rewards", "allocate", "scores.csv", *rules, "--out", "receipts.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "receipts.csv").read_text() == "recipient,amount\nada,4.00\nben,4.00\ncleo,2.00\n"
    for words in (
        "pool 10.00, paid 10.00, reserve 0.00",
        "3 of 4 recipients get something, by IMMEDIATE",
        "at the cap of 4.00: ada",
        "1 get nothing: their part is below the minimum of 1.00",
        "1 rows left out: no recipient",
        "Gini 0.133, the ten that get most have 100.0 %",
    ):
        assert words in done.stdout
    assert [line.split(",")[0] for line in (tmp_path / "receipts.csv.rejects.csv").read_text().splitlines()] == [
        "line", "6", "7",
    ]  # fmt: skip
    audited = coevo("rewards", "audit", "receipts.csv", *rules, cwd=tmp_path)
    assert (audited.returncode, audited.stderr) == (0, "")
    (tmp_path / "receipts.csv").write_text("recipient,amount\nada,4.005\nben,4.00\nben,2.00\nmallory,-0.01\n")
    (tmp_path / "who.csv").write_text("recipient\nada\n")
    audited = coevo("rewards", "audit", "receipts.csv", *rules, "--eligible", "who.csv", cwd=tmp_path)
    assert audited.returncode == 1
    kinds = [line.split()[0].rstrip(":") for line in audited.stderr.splitlines()]
    assert kinds == ["sum", "over_cap", "over_cap", "ineligible", "duplicate", "negative", "not_minor_units"]


def test_allocate_as_json_and_again(typed: Typed, tmp_path: Path) -> None:
    scores, out = tmp_path / "scores.csv", tmp_path / "out.parquet"
    scores.write_text("recipient,score\na,1e-18\nb,-1\n")
    arguments = ("allocate", "scores.csv", "--pool", "1" + "0" * 30, "--floor", "10%", "--out", "out.parquet", "--json")
    facts = answered(typed(*arguments))
    assert (facts["paid"], facts["floor"]) == ("1" + "0" * 30, "1" + "0" * 29)
    assert pl.read_parquet(out).rows() == [("a", 10**30)]
    assert (tmp_path / "out.parquet.rejects.csv").exists()
    scores.write_text("recipient,score\na,1\n")
    before = out.read_bytes()
    answered(typed(*arguments))
    assert not (tmp_path / "out.parquet.rejects.csv").exists(), "rejects of an earlier list would mislead"
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pool", "10", "--out", "scores.csv"], "scores.csv would be written and is what is to be read"),
        (["--pool", "10", "--out", "out.txt"], "the name ends in .parquet or .csv"),
        (["--pool", "10", "--out", "none/out.csv"], "there is no folder"),
        (["--pool", "1.5", "--out", "out.csv"], "the pool must be a whole number of minor units (0 decimals)"),
        (["--pool", "1e31", "--out", "out.csv"], "at most 10^30"),
        (["--pool", "ten", "--out", "out.csv"], "--pool 'ten': give a number"),
        (["--pool", "-1", "--out", "out.csv"], "the pool must be a whole number"),
        (["--pool", "10", "--cap", "101%", "--out", "out.csv"], "--cap 101%: a share is from 0% to 100%"),
        (["--pool", "10", "--min", "5", "--cap", "40%", "--out", "out.csv"], "the minimum 5 is above the cap 4"),
        (["--pool", "10", "--policy", "SPECIAL", "--recipient", "a", "--out", "out.csv"], "SPECIAL needs --recipient"),
        (["--pool", "10", "--policy", "RECENT", "--out", "out.csv"], "there is no column 'date'"),
        (["--pool", "10", "--policy", "RECENT", "--discount", "2", "--out", "out.csv"], "from 0 to 1"),
        (["--pool", "10", "--out", "twice.csv.csv"], "there are 'a' on lines 2, 4"),
    ],
)
def test_allocate_asked_wrongly_writes_nothing(typed: Typed, tmp_path: Path, arguments: list[str], words: str) -> None:
    twice = "twice" in arguments[-1]
    (tmp_path / "scores.csv").write_text("recipient,score\na,1\nb,2\n" + ("a,3\n" if twice else ""))
    before = sorted(path.name for path in tmp_path.iterdir())
    refused(typed("allocate", "scores.csv", *arguments), words)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_list_that_is_not_there(typed: Typed) -> None:
    refused(typed("allocate", "no.csv", "--pool", "1", "--out", "o.csv"), "no.csv: there is no such file")
    refused(typed("audit", "no.csv", "--pool", "1"), "no.csv: there is no such file")


# --- explain and show ------------------------------------------------------------------------------------------------


def test_the_parts_of_an_explanation_add_up(of_sample: Typed) -> None:
    for day in DAYS:
        found = answered(of_sample("explain", YANG, "--date", day.isoformat(), "--json"))
        assert sum(int(part["amount"]) for part in found["parts"]) == int(found["receipt"]) > 0
        assert found["entry"] and found["sent"] is None
    code, words, _ = of_sample("explain", YANG)
    assert code == 0
    for word in ("Xin-She Yang", "may be paid", "Cuckoo Search via Lévy flights", "cites", "To be paid at: ethereum"):
        assert word in words


@pytest.mark.parametrize(
    ("asked", "person"),
    [
        ("doi:10.1109/nabic.2009.5393690#1", YANG),
        ("orcid:0000-0002-1825-0097", "person:sample-miranda"),
        ("github:niaorg", ADA),
        ("github:NiaOrg", ADA),
    ],
)
def test_a_person_is_found_under_what_is_claimed(of_sample: Typed, asked: str, person: str) -> None:
    assert answered(of_sample("explain", asked, "--json"))["person_id"] == person


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ("doi:10.1109/nabic.2009.5393690#2", "unverified"),
        ("person:sample-rashedi", "opted_out"),
        ("person:sample-pretender", "disputed"),
        ("person:sample-simon", "unverified"),
    ],
)
def test_what_is_held_why_until_when_and_what_to_do(of_sample: Typed, person: str, reason: str) -> None:
    found = answered(of_sample("explain", person, "--json"))
    assert list(found["to_do"]) == [reason]
    assert {each["held"] for each in found["escrow"]} == {reason}
    assert min(each["expires"] for each in found["escrow"]) > DAYS[-1].isoformat()
    assert found["receipt"] == "0"
    words = of_sample("explain", person)[1]
    assert found["to_do"][reason] in words
    assert found["escrow"][0]["expires"] in words


def test_escrow_that_was_released_is_told(of_sample: Typed) -> None:
    found = answered(of_sample("explain", GEEM, "--json"))
    assert {(each["state"], each["released_to"]) for each in found["escrow"]} == {("released", GEEM)}


def test_unknown_people_and_rounds(of_sample: Typed) -> None:
    refused(of_sample("explain", "person:sample-yan"), f"did you mean {YANG}")
    refused(of_sample("explain", "doi:10.1109/nabic.2009.5393690"), "doi:10.1109/nabic.2009.5393690#2")
    refused(of_sample("explain", "mirjalili"), "person:sample-mirjalili")
    refused(of_sample("explain", YANG, "--round", "main"), "no round 'main'; there are sample")
    refused(of_sample("show", "--date", "2019-04-01"), "from 2019-03-25 to 2019-03-27")


def test_what_if_is_sorted_by_what_it_changes(of_sample: Typed) -> None:
    found = answered(of_sample("explain", GEEM, "--what-if", "--json"))["what_if"]
    moves = [abs(int(each["after"]) - int(each["before"])) for each in found]
    assert moves == sorted(moves, reverse=True)
    assert moves[0] > 0
    assert {"no floor", "open mode: every work votes"} <= {each["what"] for each in found}


def test_a_round_and_its_picture(of_sample: Typed, tmp_path: Path) -> None:
    code, words, _ = of_sample("show", "--picture", str(tmp_path / "lorenz.svg"))
    assert code == 0
    assert "Round sample as of 2019-03-27 (paid)" in words
    assert (tmp_path / "lorenz.svg").read_bytes().startswith(b"<svg")
    found = answered(of_sample("show", "--json"))
    assert sum(int(found[part]) for part in ("receipts", "escrow", "reserve")) == int(found["budget"]) == 100_000
    assert sum(int(each["amount"]) for each in found["top"]) == round(found["top_10_share"] * 100_000)
    assert found["next_expiry"][0] == "2019-09-21"
    refused(of_sample("show", "--picture", "lorenz.png"), "name a .svg file")


# --- replay and correct ----------------------------------------------------------------------------------------------


def test_replay_of_a_lake_in_order(sample: Settings) -> None:
    done = coevo("rewards", "replay", "--lake", str(sample.lake_root), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["entries"], found["findings"]) == (4, [])
    held = RewardLedger(sample.lake_root).replay().rounds["sample"]
    assert found["rounds"][0]["paid"] == str(sum(held.earned.values()))


def test_replay_names_a_changed_byte(typed: Typed, own: Path) -> None:
    file = own / "ledger" / "rewards.jsonl"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    code, _, words = typed("replay", "--lake", str(own))
    assert code == 1
    assert "line" in words and "byte" in words


def test_replay_names_a_missing_end(typed: Typed, own: Path) -> None:
    file = own / "ledger" / "rewards.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    findings = answered(typed("replay", "--lake", str(own), "--json"), code=1)["findings"]
    assert any("sample, 2019-03-27: the tables have a round that the ledger has not" in line for line in findings)
    assert any("by the ledger and" in line for line in findings)
    file.write_bytes(b"".join(lines[:-2]))
    findings = answered(typed("replay", "--lake", str(own), "--json"), code=1)["findings"]
    assert any("the tables have a release of 2 holdings" in line for line in findings)


def moved(root: Path, taken: int, given: int) -> None:
    """The tables of the last day say otherwise: something is taken from Yang and given to Ada."""
    lake, day = Lake(root), DAYS[-1]
    receipts = lake.scan("rewards.receipts", on=day).drop("date").collect()
    by = {YANG: -taken, ADA: given}
    change = pl.when(pl.col("kind") == "round").then(pl.col("person_id").replace_strict(by, default=0)).otherwise(0)
    changed = receipts.with_columns((pl.col("amount") + change).cast(pl.Decimal(38, 0)).alias("amount"))
    lake.write("rewards.receipts", day, changed)


def test_a_correction_is_shown_then_entered_and_replays(typed: Typed, own: Path) -> None:
    asked = ("correct", "--date", "2019-03-27", "--reason", "a link was listed twice", "--lake", str(own))
    code, words, _ = typed(*asked)
    assert (code, "there is nothing to correct" in words) == (0, True)
    moved(own, 50, 50)
    ledger = own / "ledger" / "rewards.jsonl"
    before = ledger.read_bytes()
    findings = answered(typed("replay", "--lake", str(own), "--json"), code=1)["findings"]
    assert any("the tables differ in receipts" in line for line in findings)
    code, words, _ = typed(*asked)
    assert code == 0
    assert "differs in receipts" in words and "add --yes" in words
    assert ledger.read_bytes() == before
    found = answered(typed(*asked, "--json"))
    people = {each["person_id"]: int(each["receipt_after"]) - int(each["receipt_before"]) for each in found["people"]}
    assert people == {ADA: 50, YANG: -50}
    entered = answered(typed(*asked, "--yes", "--json"))["correction"]
    assert ledger.read_bytes().startswith(before)
    assert RewardLedger(own).replay().rounds["sample"].effective("2019-03-27").id == entered
    assert answered(typed("replay", "--lake", str(own), "--json"))["findings"] == []
    assert (
        answered(typed("export", "--format", "drips", "--out", "x", "--json", "--lake", str(own)))["entry"] == entered
    )


def test_a_correction_that_breaks_a_rule_is_not_entered(typed: Typed, own: Path) -> None:
    moved(own, 50, 51)
    before = (own / "ledger" / "rewards.jsonl").read_bytes()
    asked = ("correct", "--date", "2019-03-27", "--reason", "no", "--yes", "--lake", str(own))
    refused(typed(*asked), "but the budget is 100000 (+1)", code=1)
    assert (own / "ledger" / "rewards.jsonl").read_bytes() == before


# --- export and send -------------------------------------------------------------------------------------------------


def test_an_export_covers_the_round_or_names_who_is_left_out(of_sample: Typed, tmp_path: Path) -> None:
    found = answered(of_sample("export", "--format", "drips", "--round", "sample", "--out", "pay", "--json"))
    assert found["paid"] is False
    receipts = int(answered(of_sample("show", "--json"))["receipts"])
    assert int(found["total"]) + sum(int(each["amount"]) for each in found["left_out"]) == receipts
    assert [each["person_id"] for each in found["left_out"]] == ["person:sample-lewis"]
    assert sorted(Path(path).name for path in found["files"]) == ["drips.json", "drips.people.csv"]
    weights = json.loads((tmp_path / "pay" / "drips.json").read_text())
    assert str(0x5A07) in {each["accountId"] for each in weights}, "Ben is paid where the register says"
    refused(of_sample("export", "--format", "drips", "--out", "pay"), "exists already")
    code, words, _ = of_sample("export", "--format", "drips", "--out", "pay", "--overwrite")
    assert code == 0
    assert "Nothing has been paid" in words


def test_a_release_is_exported_by_its_entry(of_sample: Typed, sample: Settings) -> None:
    entries = RewardLedger(sample.lake_root).entries()
    release = next(entry for entry in entries if entry.record["kind"] == "release")
    found = answered(of_sample("export", "--format", "drips", "--out", "r", "--entry", release.id[:12], "--json"))
    assert found["entry"] == release.id
    assert int(found["total"]) == sum(amount for _, amount, _ in release.record["holdings"])
    noted = answered(of_sample("export", "--format", "drips", "--out", "s", "--json"))["notes"]
    assert any(release.id[:12] in note for note in noted)


def test_addresses_of_the_day_and_of_claimed_accounts(sample: Settings) -> None:
    from coevo_pipelines.rewards import persons
    from coevo_pipelines.rewards.asked import addresses

    snapshot = Lake(sample.lake_root).snapshot()
    claims = snapshot.scan("traces.claims", on=DAYS[-1]).collect()
    none = pl.DataFrame(schema={"id": pl.String, "canonical": pl.String})
    optouts = snapshot.scan("traces.optouts", on=DAYS[-1]).collect()
    found = addresses(snapshot, DAYS[-1], [ADA, BEN, GEEM], persons.register(claims, optouts, none))
    # NiaPy's file names two sponsors; hers is the one that is her account. The rest of the file is hers alone.
    assert found[ADA] == {
        "ethereum": "0x0000000000000000000000000000000000005a06", "github_sponsors": "coevo-sample-ada",
        "open_collective": "coevo-sample", "paypal": "https://www.paypal.me/coevo-sample",
    }  # fmt: skip
    assert found[BEN] == {"drips": "0x0000000000000000000000000000000000005a07"}, (
        "what others say of him does not count"
    )
    earlier = addresses(snapshot, DAYS[0], [GEEM], persons.register(claims, optouts, none))
    assert earlier == {GEEM: {}}, "he gave his address on the last day"


def test_exports_asked_wrongly(of_sample: Typed) -> None:
    assert {"safe", "merkle"} <= set(answered(of_sample("export", "--list", "--json")))
    refused(of_sample("export"), "give --format and --out FOLDER", "open_collective")
    refused(of_sample("export", "--format", "sfe", "--out", "p"), "did you mean safe?")
    refused(of_sample("export", "--format", "github_sponsors", "--out", "p"), "US dollars only")
    refused(of_sample("export", "--format", "drips", "--round", "main", "--out", "p"), "no round 'main'")
    refused(of_sample("export", "--format", "drips", "--entry", "xyz", "--out", "p"), "no entry of round sample")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that books what it hears."""
    heard: list[dict[str, str]] = []

    class Booking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append({**self.headers, "sha256": hashlib.sha256(body).hexdigest()})
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Booking) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rounds?token=1", heard
        server.shutdown()


def test_sent_once_and_only_when_asked_to(
    typed: Typed, own: Path, tmp_path: Path, receiver: tuple[str, list[dict[str, str]]]
) -> None:
    url, heard = receiver
    (tmp_path / "secret.txt").write_text(SECRET + "\n")
    asked = ("send", "--url", url, "--secret-file", "secret.txt", "--lake", str(own))
    code, words, _ = typed(*asked)
    assert (code, heard) == (0, [])
    assert "add --yes" in words and "webhook-signature" in words
    assert "token=1" not in words and SECRET not in words
    shown = answered(typed(*asked, "--json"))
    sent = answered(typed(*asked, "--yes", "--json"))
    assert sent["sent"] and sent["now"] and sent["payment"]["status"] == 201
    assert [each["sha256"] for each in heard] == [hashlib.sha256(shown["body"].encode()).hexdigest()]
    code, words, _ = typed(*asked, "--yes")
    assert (code, len(heard)) == (0, 1)
    assert "Not sent again" in words
    assert answered(typed("explain", YANG, "--json", "--lake", str(own)))["sent"] == sent["payment"]["at"]
    export = ("export", "--format", "drips", "--out", "pay", "--lake", str(own))
    refused(typed(*export), "to pay it again would pay it twice")
    assert typed(*export, "--again")[0] == 0
    assert answered(typed("replay", "--json", "--lake", str(own)))["findings"] == []


def test_nothing_is_sent_to_an_open_url(of_sample: Typed) -> None:
    refused(of_sample("send", "--url", "http://example.org/"), "https", code=1)
    refused(of_sample("send", "--url", "https://example.org/", "--secret-file", "no.txt"), "cannot be read")
    refused(of_sample("send", "--url", "https://example.org/", "--date", "2019-03-28"), "no rounds of 2019-03-28")


def test_a_lake_without_rounds(typed: Typed, tmp_path: Path) -> None:
    refused(typed("show", "--lake", str(tmp_path / "no")), "is not a lake")
    (tmp_path / "new" / "ledger").mkdir(parents=True)
    refused(typed("show", "--lake", str(tmp_path / "new")), "has no rounds yet")
    assert answered(typed("replay", "--json", "--lake", str(tmp_path / "new"))) == {
        "entries": 0, "rounds": [], "findings": [],
    }  # fmt: skip
