"""The register: what stands when, and that a wrong field costs its entry, with the place, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.register import CREDIT_ROLES, Register, contributor, read, subject, work

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
CLAIM = '[[claims]]\nperson = "person:ada"\nsubjects = ["github:ada"]\nsince = 2026-01-05\n'


def at_noon(text: str) -> Register:
    return read(text.encode(), NOON)


def test_a_whole_entry_of_each_kind() -> None:
    register = at_noon(
        """
        [[claims]]
        person = "person:ada"
        name = "Ada  Lovelace"
        subjects = ["github:Ada", "orcid:0000-0002-1825-0097", "arxiv:1712.06567v2#2", "doi:10.1000/ABC#1"]
        proof = "https://gist.github.com/ada/1"
        since = 2026-01-05
        payout = { ethereum = "0x00000000000000000000000000000000000000aa", github_sponsors = "ada" }
        [[optouts]]
        owner = "hf:ada"
        since = 2026-01-06T10:00:00+02:00
        reason = "not now"
        [[shares]]
        work = "doi:10.1000/ABC"
        since = 2026-01-05
        share = { "orcid:0000-0002-1825-0097" = 3, "github:bob" = "1.25", "Cleo" = "0" }
        [[shares]]
        work = "hf:model/ada/swarm"
        since = 2026-01-05
        credit = { "person:ada" = ["Conceptualization", "Software"], "github:bob" = ["writing - original draft"] }
        """
    )
    assert register.rejected == []
    (claim,), (optout,), (share, credit) = register.claims, register.optouts, register.shares
    assert claim.subjects == ("github:Ada", "orcid:0000-0002-1825-0097", "arxiv:1712.06567#2", "doi:10.1000/abc#1")
    assert (claim.name, claim.since) == ("Ada Lovelace", datetime(2026, 1, 5, tzinfo=UTC))
    assert dict(claim.payouts)["github_sponsors"] == "ada"
    assert (optout.scope, optout.subject, optout.since) == ("owner", "hf:ada", datetime(2026, 1, 6, 8, tzinfo=UTC))
    assert share.parts == (("orcid:0000-0002-1825-0097", 300), ("github:bob", 125), ("Cleo", 0))
    assert (credit.basis, credit.parts) == ("credit", (("person:ada", 2), ("github:bob", 1)))


@pytest.mark.parametrize(
    ("span", "stands"),
    [
        ("since = 2026-01-10", True),
        ("since = 2026-01-10T12:00:00Z", True),
        ("since = 2026-01-10T12:00:00.000001Z", False),
        ("since = 2026-01-11", False),
        ("since = 2026-01-10T13:00:00+02:00", True),
        ("since = 2026-01-01\nuntil = 2026-01-11", True),
        ("since = 2026-01-01\nuntil = 2026-01-10T12:00:00Z", False),
        ("since = 2026-01-01\nuntil = 2026-01-10T12:00:00.000001Z", True),
    ],
)
def test_an_entry_stands_from_since_to_before_until(span: str, stands: bool) -> None:
    register = at_noon(CLAIM.replace("since = 2026-01-05", span))
    assert [claim.person for claim in register.claims] == (["person:ada"] if stands else [])
    assert register.rejected == []


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (("since = 2026-01-05", "since = 2026-13-05"), None, "not valid TOML"),
        (("since = 2026-01-05", 'since = "2026-01-05"'), "claims[1].since", "without quotes"),
        (("since = 2026-01-05", ""), "claims[1].since", "is missing"),
        (("since = 2026-01-05", "since = 5"), "claims[1].since", "expected a date"),
        (("since = 2026-01-05", "since = 2026-01-05\nuntil = 2026-01-05"), "claims[1].until", "not after since"),
        (("since", "unitl = 2026-01-06\nsince"), "claims[1].unitl", "unknown field"),
        (('"person:ada"', '"ada"'), "claims[1].person", "expected person:"),
        (('"person:ada"', '"person:Ada"'), "claims[1].person", "expected person:"),
        (('["github:ada"]', "[]"), "claims[1].subjects", "not empty"),
        (('["github:ada"]', '"github:ada"'), "claims[1].subjects", "expected a list"),
        (('["github:ada"]', '["github:ada", "twitter:ada"]'), "claims[1].subjects[1]", "not a person"),
        (('["github:ada"]', '["orcid:0000-0002-1825-0098"]'), "claims[1].subjects[0]", "not a person"),
        (('["github:ada"]', '["github:ada", "github:ada"]'), "claims[1].subjects[1]", "named twice"),
        (("since", "proof = ' '\nsince"), "claims[1].proof", "is empty"),
        (("since", "payout = {ethereum = '0x12'}\nsince"), "claims[1].payout.'ethereum'", "not an address"),
        (("since", "payout = {cash = 'here'}\nsince"), "claims[1].payout.'cash'", "unknown channel"),
        (("since", "payout = {paypal = 7}\nsince"), "claims[1].payout.'paypal'", "expected text"),
        (("since", "name = 'a\\u0000'\nsince".replace("'", '"')), "claims[1].name", "cannot be printed"),
    ],
)
def test_a_wrong_field_rejects_its_entry_only(change: tuple[str, str], place: str | None, reason: str) -> None:
    good = CLAIM.replace("person:ada", "person:zoe").replace("github:ada", "github:zoe")
    text = good + CLAIM.replace(*change) + good.replace("zoe", "eva")
    if place is None:
        with pytest.raises(ParseError, match=reason):
            at_noon(text)
        return
    register = at_noon(text)
    assert [claim.person for claim in register.claims] == ["person:zoe", "person:eva"]
    ((where, why),) = register.rejected
    assert where == place
    assert reason in why


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ('[[optout]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01', "optout"),
        ("optouts = 5", "optouts"),
        ("optouts = [5]", "optouts[0]"),
        ("[[optouts]]\nsince = 2026-01-01", "optouts[0]"),
        ('[[optouts]]\nwork = "arxiv:1712.06567"\nowner = "github:a"\nsince = 2026-01-01', "optouts[0]"),
        ('[[optouts]]\nwork = "1712.06567"\nsince = 2026-01-01', "optouts[0].work"),
        ('[[optouts]]\nowner = "github:a/b"\nsince = 2026-01-01', "optouts[0].owner"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01', "shares[0]"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {}', "shares[0].share"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = 0}', "shares[0].share"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = 0.5}', "shares[0].share.'a'"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = true}', "shares[0].share.'a'"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = -1}', "shares[0].share.'a'"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = "1e3"}', "shares[0].share.'a'"),
        ('[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {"x:y" = 1}', "shares[0].share.'x:y'"),
        (
            '[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {a = 9223372036854775807, b = 1}',
            "shares[0].share",
        ),
        (
            '[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {"github:a" = 1, "github:A" = 1}',
            "shares[0].share.'github:A'",
        ),
        (
            '[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\ncredit = {a = ["Software", "Cooking"]}',
            "shares[0].credit.'a'[1]",
        ),
        (
            '[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\ncredit = {a = ["Software", "software"]}',
            "shares[0].credit.'a'[1]",
        ),
    ],
)
def test_what_is_wrong_elsewhere_is_named_too(entry: str, place: str) -> None:
    register = at_noon(f"{entry}\n" if entry.startswith("optouts =") else f"{CLAIM}\n{entry}\n")
    assert [where for where, _ in register.rejected] == [place]
    assert (register.optouts, register.shares) == ([], [])
    assert len(register.claims) == (0 if entry.startswith("optouts =") else 1)


def test_two_persons_may_claim_one_subject_and_one_person_only_once() -> None:
    again = '[[claims]]\nperson = "person:ada"\nsubjects = ["github:ADA", "hf:ada"]\nsince = 2026-01-06\n'
    register = at_noon(CLAIM + CLAIM.replace("person:ada", "person:eve") + again)
    claimed = [(claim.person, claim.subjects) for claim in register.claims]
    assert claimed == [
        ("person:ada", ("github:ada",)),
        ("person:eve", ("github:ada",)),
        ("person:ada", ("hf:ada",)),
    ]
    assert register.rejected == [("claims[2].subjects[0]", "claimed already in claims[0]")]


def test_the_latest_table_of_shares_stands_and_a_double_optout_is_named() -> None:
    share = '[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-0{}\nshare = {{"github:a" = {}}}\n'
    text = share.format(5, 1) + share.format(7, 2) + share.format(6, 3) + share.format(7, 4)
    optout = '[[optouts]]\nowner = "github:{}"\nsince = 2026-01-01\n'
    register = at_noon(text + optout.format("a") + optout.format("A"))
    assert [one.parts for one in register.shares] == [(("github:a", 2),)]
    assert [one.subject for one in register.optouts] == ["github:a"]
    assert [place for place, _ in register.rejected] == ["optouts[1]", "shares[3]"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"claims", b"[[claims]", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000])
def test_a_file_that_is_no_toml_is_one_error(body: bytes) -> None:
    with pytest.raises(ParseError, match="not valid TOML in UTF-8"):
        read(body, NOON)


def test_an_empty_file_and_one_with_a_mark_of_byte_order_are_registers() -> None:
    assert read(b"", NOON) == Register()
    assert len(read(b"\xef\xbb\xbf" + CLAIM.encode(), NOON).claims) == 1


def test_the_14_roles_of_credit() -> None:
    """Names and order of https://credit.niso.org/contributor-roles-defined/."""
    assert len(set(CREDIT_ROLES)) == 14
    assert list(CREDIT_ROLES) == sorted(CREDIT_ROLES)
    roles = ", ".join(f'"{role}"' for role in CREDIT_ROLES)
    text = f'[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\ncredit = {{a = [{roles}]}}'
    assert at_noon(text).shares[0].parts == (("a", 14),)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("github:NiaOrg", "github:NiaOrg"),
        ("hf:coevo-sample", "hf:coevo-sample"),
        ("orcid:0000-0002-1694-233X", "orcid:0000-0002-1694-233X"),
        ("arxiv:hep-th/9901001#12", "arxiv:hep-th/9901001#12"),
        ("github:a/b#unknown", "github:a/b#unknown"),
        ("person:ada", "person:ada"),
    ],
)
def test_subjects(written: str, kept: str) -> None:
    assert subject(written) == kept
    assert contributor(written) == kept


@pytest.mark.parametrize(
    "written",
    ["", "ada", "github:", "github:-a", "orcid:0000-0002-1694-2330", "arxiv:1712.06567", "arxiv:1712.06567#0",
     "doi:10.1/x#a", "person:", "openalex:A1", None, 5],
)  # fmt: skip
def test_what_is_no_subject(written: Any) -> None:
    with pytest.raises(ParseError):
        subject(written)


def test_works_get_their_canonical_form() -> None:
    assert work("doi:10.48550/arXiv.1712.06567") == "arxiv:1712.06567"
    assert work("github:NiaOrg/NiaPy") == "github:niaorg/niapy"
    assert work("git:Sample/tools") == "git:Sample/tools"


toml_values = st.recursive(
    st.sampled_from(
        ['"github:a"', '"person:a"', '"x"', '""', "1", "-1", "0.5", "true", "2026-01-05", "2026-01-05T00:00:00",
         "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "12:00:00", "[]", "{}"]
    ),
    lambda inner: st.lists(inner, max_size=2).map(lambda parts: f"[{', '.join(parts)}]")
    | st.lists(inner, max_size=2).map(lambda parts: f"{{{', '.join(f'k{i} = {v}' for i, v in enumerate(parts))}}}"),
    max_leaves=4,
)  # fmt: skip
FIELDS = ("person", "subjects", "since", "until", "proof", "payout", "owner", "work", "share", "credit", "reason")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    entries=st.lists(
        st.tuples(
            st.sampled_from(["claims", "optouts", "shares", "others"]),
            st.dictionaries(st.sampled_from(FIELDS), toml_values, max_size=5),
        ),
        max_size=4,
    )
)
def test_whatever_stands_in_an_entry_the_good_one_stays(entries: list[tuple[str, dict[str, str]]]) -> None:
    text = CLAIM.replace("github:ada", "hf:the-good-one")
    for name, fields in entries:
        text += f"[[{name}]]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())
    register = read(text.encode(), NOON)
    assert register.claims[0].subjects == ("hf:the-good-one",)
    known = sum(name != "others" for name, _ in entries)
    extra = len(register.claims) - 1 + len(register.optouts) + len(register.shares)
    assert extra <= known
    assert read(text.encode(), NOON) == register


@settings(max_examples=100, deadline=None, derandomize=True)
@given(parts=st.lists(st.decimals(min_value=0, max_value=10**6, places=4), min_size=1, max_size=6))
def test_scaled_shares_keep_their_proportions(parts: list[Any]) -> None:
    table = ", ".join(f'"github:a{i}" = "{part:f}"' for i, part in enumerate(parts))
    register = at_noon(f'[[shares]]\nwork = "arxiv:1712.06567"\nsince = 2026-01-01\nshare = {{{table}}}')
    if not sum(parts):
        assert register.shares == []
        return
    scaled = [amount for _, amount in register.shares[0].parts]
    assert all(amount * sum(parts) == part * sum(scaled) for amount, part in zip(scaled, parts, strict=True))


def test_a_later_moment_sees_what_is_dated_later() -> None:
    """P8 of the money: an opt-out on a day changes that day and later ones only."""
    text = CLAIM + '[[optouts]]\nperson = "person:ada"\nsince = 2026-01-09\n'
    seen = [bool(read(text.encode(), NOON + timedelta(days=days)).optouts) for days in (-3, -2, -1, 0, 1)]
    assert seen == [False, False, True, True, True]
