"""What must hold for every format, and what each refuses."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.rewards.exports.ethereum import checksummed
from coevo_pipelines.rewards.exports.formats import FORMATS, export
from coevo_pipelines.rewards.exports.payout import Export, ExportError, Paid, Payee, in_units
from coevo_pipelines_tests.rewards.exports.rounds import (
    TOKEN,
    account,
    amounts,
    claim_is_valid,
    lines,
    minor,
    paid,
    payee,
    rows,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["=cmd|'/c calc'!A1", "+1", "-1", "@x", "'", "''=", 'a,"b"\r\n', "\r", "\t=", "\0", "＝1", "Ada, Countess"]
)
AMOUNTS = st.one_of(
    st.integers(0, 300), st.integers(0, 10**30), st.sampled_from([10**30, 1_200_000, 1_200_099, 2**31 - 1, 2**31])
)
CHANNELS = {
    "ethereum": st.integers(1, 12).map(account) | st.sampled_from(["0x12", TOKEN, "0x" + "0" * 40, TOKEN.swapcase()]),
    "drips": st.integers(1, 12).map(str) | st.sampled_from(["0", "-1", "²", "x", str(2**256), account(3)]),
    "github_sponsors": st.sampled_from(["octocat", "Octocat", "hubot", "-x", "a--b", "a b", "x" * 40, "=1"]),
    "open_collective": st.sampled_from(["babel", "webpack", "b@example.org", "Not a slug", ""]),
    "paypal": st.just("p@example.org"),
}


@st.composite
def rounds(draw: st.DrawFn) -> Paid:
    people = draw(st.lists(TEXT.filter(bool), min_size=1, max_size=12, unique=True))
    payees = []
    for person in people:
        addresses = draw(st.fixed_dictionaries({}, optional=CHANNELS))
        payees.append(Payee(person, draw(st.none() | TEXT), draw(AMOUNTS), addresses))
    return paid(*payees, decimals=draw(st.integers(0, 4)))


def done(name: str, given: Paid) -> Export | None:
    try:
        return export(name, given)
    except ExportError as error:
        assert "none can be paid" in str(error)
        return None


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=150, deadline=None)
@given(given_round=rounds())
def test_nothing_is_lost(name: str, given_round: Paid) -> None:
    """Files and left out are what the payees were to get: in all, for each address, and for each person."""
    if (made := done(name, given_round)) is None:
        return
    owed = {payee.person_id: payee.amount for payee in given_round.payees}
    short: dict[str, int] = defaultdict(int)
    for person, amount, reason in made.left_out:
        assert reason
        assert amount >= 0
        short[person] += amount
    assert all(0 <= amount <= owed[person] for person, amount in short.items())
    assert made.total + sum(short.values()) == sum(owed.values())
    table = rows(made.files[f"{name}.people.csv"])
    assert [row["person"].removeprefix("'") for row in table] == sorted(owed)
    by_address: dict[str, int] = defaultdict(int)
    for row in table:
        person = row["person"].removeprefix("'")
        assert int(row["left_out"]) == short[person]
        assert int(row["paid"]) == owed[person] - short[person]
        if int(row["paid"]):
            by_address[row["address"].lower()] += int(row["paid"])
    if name == "drips":
        weigh(made, by_address)
    else:
        found = amounts(name, made, given_round)
        assert {address.lower(): amount for address, amount in found.items()} == by_address
        assert sum(found.values()) == made.total


def weigh(made: Export, by_address: dict[str, int]) -> None:
    """The contract's rules (drips-network/contracts, Splits.sol), and nobody a whole weight off."""
    listed = json.loads(made.files["drips.json"])
    ids = [int(one["accountId"]) for one in listed]
    assert ids == sorted(set(ids))
    assert 0 < len(ids) <= 200
    assert sum(one["weight"] for one in listed) == 1_000_000
    assert {one["accountId"] for one in listed} == set(by_address)
    for one in listed:
        assert one["weight"] > 0
        assert abs(one["weight"] * made.total - by_address[one["accountId"]] * 1_000_000) < made.total


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(given_round=rounds(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_payees_does_not_matter(name: str, given_round: Paid, random: Random) -> None:
    shuffled = list(given_round.payees)
    random.shuffle(shuffled)
    assert done(name, given_round) == done(name, replace(given_round, payees=shuffled))


@settings(max_examples=60, deadline=None)
@given(st.lists(AMOUNTS.filter(bool), min_size=1, max_size=40))
def test_every_claim_can_be_claimed(claimed: list[int]) -> None:
    people = [payee(f"p{n}", amount, ethereum=account(n + 1)) for n, amount in enumerate(claimed)]
    document = json.loads(export("merkle", paid(*people)).files["merkle.json"])
    assert int(document["tokenTotal"], 16) == sum(claimed)
    assert sorted(claim["index"] for claim in document["claims"].values()) == list(range(len(claimed)))
    for who, claim in document["claims"].items():
        assert claim_is_valid(document["merkleRoot"], who, claim)
        assert not claim_is_valid(document["merkleRoot"], who, claim | {"amount": hex(int(claim["amount"], 16) + 1)})


@given(st.integers(0, 10**30), st.integers(0, 36))
def test_units_are_exact(amount: int, decimals: int) -> None:
    text = in_units(amount, decimals)
    assert minor(text, decimals) == amount
    assert "." not in text or not text.endswith(("0", "."))


@given(st.binary(min_size=20, max_size=20).filter(any))
def test_a_checksum_is_found_again(address: bytes) -> None:
    right = checksummed("0x" + address.hex())
    assert checksummed(right) == right
    assert right.lower() == "0x" + address.hex()


def test_one_address_of_two_people() -> None:
    people = [
        payee("a", 150, ethereum=account(1)),
        payee("b", 275, ethereum=account(1)),
        payee("c", 1, ethereum=account(2)),
    ]
    for name, shares in {"merkle": True, "drips": True, "safe": False, "disperse": False}.items():
        made = export(name, paid(*people))
        assert any("is paid once for a, b" in note for note in made.notes) == shares
        assert made.total == 426
    assert json.loads(export("merkle", paid(*people)).files["merkle.json"])["claims"][account(1)]["amount"] == "0x01a9"
    assert [row["amount"] for row in rows(export("safe", paid(*people)).files["safe.csv"])] == ["1.5", "2.75", "0.01"]


def test_github_names_ignore_case_and_the_cents_are_the_largest_payees() -> None:
    people = [payee("a", 10, github_sponsors="Octocat"), payee("b", 185, github_sponsors="octocat")]
    made = export("github_sponsors", paid(*people))
    assert made.files["github_sponsors.csv"].splitlines()[1:] == [b"Octocat,1"]
    assert made.left_out == [("b", 95, "GitHub Sponsors takes whole dollars")]
    assert list(made.notes) == ["Octocat is paid once for a, b"]


def test_drips_names_who_rounds_to_nothing() -> None:
    people = [payee("rich", 10**9, ethereum=account(1)), payee("poor", 400, ethereum=account(2))]
    made = export("drips", paid(*people))
    assert json.loads(made.files["drips.json"]) == [{"accountId": "1", "weight": 1_000_000}]
    assert made.left_out == [("poor", 400, "less than a millionth of the round: the weight rounds to 0")]
    assert made.total == 10**9
    assert "send 1000000000 minor units" in made.notes[0]


def test_drips_holds_200() -> None:
    made = export("drips", paid(*(payee(f"p{n:03}", 100 + n, ethereum=account(n + 1)) for n in range(250))))
    assert len(json.loads(made.files["drips.json"])) == 200
    assert [person for person, _, _ in made.left_out] == [f"p{n:03}" for n in range(50)]
    assert made.total == sum(100 + n for n in range(50, 250))


@pytest.mark.parametrize(
    ("decimals", "amount", "cents", "left"),
    [
        (2, 1999, 1999, 0),
        (0, 7, 700, 0),
        (0, 10**9, 2147483600, 10**9 - 21474836),
        (3, 12345, 1234, 5),
        (3, 9, None, 9),
        (2, 2**31, 2**31 - 1, 1),
    ],
)
def test_open_collective_reckons_in_hundredths(decimals: int, amount: int, cents: int | None, left: int) -> None:
    people = [payee("a", amount, open_collective="babel"), payee("b", 10**decimals, open_collective="webpack")]
    made = export("open_collective", paid(*people, currency="JPY", decimals=decimals))
    bodies = lines(made.files["open_collective.jsonl"])
    found = [body["variables"]["expense"]["items"][0]["amount"] for body in bodies]
    assert found == ([] if cents is None else [cents]) + [100]
    assert [(person, short) for person, short, _ in made.left_out] == ([("a", left)] if left else [])


def test_cells_that_look_like_formulas_are_text() -> None:
    names = ["=cmd|'/c calc'!A1", "+1", "-1", "@x", "\t=1", "\r=1", "'quoted", "＝1", 'Ada, "Countess"\nLovelace']
    people = [payee(f"{n}", 1, name, ethereum=account(n + 1)) for n, name in enumerate(names)]
    table = rows(export("safe", paid(*people)).files["safe.people.csv"])
    assert [row["name"] for row in table] == ["'" + name for name in names[:-1]] + names[-1:]


@pytest.mark.parametrize("name", FORMATS)
def test_names_are_in_no_payment_file_but_as_json(name: str) -> None:
    everywhere = {
        "ethereum": account(1),
        "github_sponsors": "octocat",
        "open_collective": "ada@example.org",
    }
    made = export(name, paid(payee("ada", 500, '=1+1,"\n', **everywhere)))
    for file, data in made.files.items():
        assert file in {f"{name}.people.csv", "open_collective.jsonl"} or b"=1+1" not in data
    if name == "open_collective":
        (body,) = lines(made.files["open_collective.jsonl"])
        assert body["variables"]["expense"]["payee"]["name"] == '=1+1,"\n'


REASONS = [
    ("safe", {}, "no ethereum address"),
    ("safe", {"ethereum": "0x123"}, "not an Ethereum address"),
    ("safe", {"ethereum": TOKEN[:-1] + "f"}, "checksum"),
    ("merkle", {"ethereum": "0x" + "0" * 40}, "zero address"),
    ("disperse", {"ethereum": TOKEN.lower()}, "the token's own contract"),
    ("drips", {"drips": "1.5"}, "not a Drips account"),
    ("drips", {"drips": str(2**256)}, "not a Drips account"),
    ("drips", {"paypal": "x"}, "no ethereum address"),
    ("github_sponsors", {"github_sponsors": "a--b"}, "not a GitHub name"),
    ("github_sponsors", {"ethereum": account(1)}, "no github_sponsors account"),
    ("open_collective", {"open_collective": "https://opencollective.com/babel"}, "neither a slug"),
    ("open_collective", {}, "no open_collective account"),
]


@pytest.mark.parametrize(("name", "addresses", "reason"), REASONS)
def test_who_cannot_be_paid_is_named_with_the_reason(name: str, addresses: dict[str, str], reason: str) -> None:
    good = payee("good", 100, ethereum=account(9), github_sponsors="octocat", open_collective="babel")
    made = export(name, paid(Payee("bad", None, 250, addresses), good))
    ((person, amount, why),) = made.left_out
    assert (person, amount) == ("bad", 250)
    assert reason in why
    with pytest.raises(ExportError, match=f"of 1 payees .* none can be paid: .*{reason}"):
        export(name, paid(Payee("bad", None, 250, addresses)))


GOOD = paid(payee("a", 100, ethereum=account(1), github_sponsors="octocat", open_collective="babel"))
WRONG = [
    ("saef", GOOD, "unknown export format 'saef' .did you mean safe"),
    ("bitcoin-cash", GOOD, "unknown export format 'bitcoin-cash': there are safe, disperse"),
    ("github_sponsors", replace(GOOD, currency="EUR"), "EUR: GitHub Sponsors pays US dollars"),
    ("safe", replace(GOOD, token=None), "USD with 2 decimals.*give the address of the ERC-20"),
    ("disperse", replace(GOOD, token=None), "USD with 2 decimals"),
    ("merkle", replace(GOOD, token=None), "names no token"),
    ("open_collective", replace(GOOD, currency="ETH", decimals=18), "currencies .ISO 4217"),
    ("open_collective", replace(GOOD, currency="usd"), "currencies .ISO 4217"),
    ("open_collective", replace(GOOD, collective=None), "collective that pays is None"),
    ("safe", replace(GOOD, token="0x12"), "the token: '0x12' is not an Ethereum address"),
    ("safe", replace(GOOD, entry="latest"), "ledger entry is 'latest'"),
    ("safe", replace(GOOD, decimals=-1), "-1 decimals"),
    ("safe", replace(GOOD, decimals=True), "True decimals"),
    ("safe", replace(GOOD, round=""), "the round is ''"),
    ("safe", replace(GOOD, payees=[]), "has no payees"),
    ("safe", replace(GOOD, payees=[*GOOD.payees, *GOOD.payees]), "payee a is there 2 times"),
    ("safe", replace(GOOD, payees=[payee("a", -1)]), "payee a gets -1"),
    ("safe", replace(GOOD, payees=[payee("a", 10**30 + 1)]), "payee a gets 1000000000000000000000000000001"),
    ("safe", replace(GOOD, payees=[payee("a", 1.5)]), "payee a gets 1.5"),  # type: ignore[arg-type]
    ("safe", replace(GOOD, payees=[payee("", 1)]), "valid Unicode"),
    ("safe", replace(GOOD, payees=[payee("a", 1, "\ud800")]), "valid Unicode"),
    ("safe", replace(GOOD, payees=[payee("a", 0, ethereum=account(1))]), "none can be paid: nothing to pay"),
]


@pytest.mark.parametrize(("name", "given_round", "message"), WRONG)
def test_errors_name_what_is_wrong(name: str, given_round: Paid, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export(name, given_round)


def test_many_payees_take_logarithmic_proofs() -> None:
    people = [payee(f"p{n:05}", n + 1, ethereum=account(n + 1)) for n in range(3000)]
    document = json.loads(export("merkle", paid(*people)).files["merkle.json"])
    assert max(len(claim["proof"]) for claim in document["claims"].values()) <= math.ceil(math.log2(3000))
    assert all(claim_is_valid(document["merkleRoot"], who, claim) for who, claim in document["claims"].items())
