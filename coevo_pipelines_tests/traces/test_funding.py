"""Funding files of repositories: the published formats and examples, and hostile ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.schemas import CHANNELS
from coevo_pipelines.traces.bots import WELL_KNOWN, is_bot
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.funding import Addresses, funding_json, funding_yml, reader, recognized


def listed(addresses: Addresses) -> list[tuple[str, str, str]]:
    return [(one.channel, one.address, one.place) for one in addresses.found]


def test_the_example_of_githubs_documentation() -> None:
    text = (
        "github: [octocat, surftocat]\npatreon: octocat\ntidelift: npm/octo-package\n"
        'custom: ["https://www.paypal.me/octocat", octocat.com]\n'
    )
    addresses = funding_yml(text)
    assert addresses.rejected == []
    assert listed(addresses) == [
        ("github_sponsors", "octocat", "line 1"),
        ("github_sponsors", "surftocat", "line 1"),
        ("patreon", "octocat", "line 2"),
        ("other", "tidelift:npm/octo-package", "line 3"),
        ("paypal", "https://www.paypal.me/octocat", "line 4"),
        ("other", "octocat.com", "line 4"),
    ]


def test_the_template_that_github_writes_holds_nobody() -> None:
    names = (
        "github patreon open_collective ko_fi tidelift community_bridge liberapay issuehunt otechie lfx_crowdfunding "
        "polar buy_me_a_coffee thanks_dev custom"
    )
    text = "".join(f"{name}: # Replace with a single name\n" for name in names.split())
    assert funding_yml(f"# These are supported funding model platforms\n\n{text}") == Addresses()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_a_file_of_nothing_is_none(text: str) -> None:
    assert funding_yml(text) == Addresses()


@pytest.mark.parametrize(
    ("text", "found", "rejected"),
    [
        ("ko_fi: 12345\nliberapay: no\n", [("ko_fi", "12345"), ("liberapay", "no")], []),
        ("github:\n  - a\n  - b\n", [("github_sponsors", "a"), ("github_sponsors", "b")], []),
        ("github: a b\npatreon: c\n", [("patreon", "c")], ["line 1"]),
        ("githubb: a\npatreon: c\n", [("patreon", "c")], ["line 1"]),
        ("github: {a: b}\npatreon: c\n", [("patreon", "c")], ["line 1"]),
        ("github: [a, {b: c}]\n", [], ["line 1"]),
        ("patreon: [a, b]\n", [("patreon", "a")], ["line 1"]),
        ("patreon: a\npatreon: b\n", [("patreon", "a")], ["line 2"]),
        ("custom: [a.org, b.org, c.org, d.org, e.org]\n", [("other", f"{x}.org") for x in "abcd"], ["line 1"]),
        ('custom: "\\ud800"\n', [], ["line 1"]),
        (f"custom: https://a.org/{'x' * 300}\n", [], ["line 1"]),
        ("custom: 0xA87258F829Fb6b5622d60896dC010cdF57e1DCE6\n",
         [("ethereum", "0xA87258F829Fb6b5622d60896dC010cdF57e1DCE6")], []),
        ("? [a, b]\n: c\n", [], ["line 1"]),
    ],
)  # fmt: skip
def test_lines_stand_alone(text: str, found: list[tuple[str, str]], rejected: list[str]) -> None:
    addresses = funding_yml(text)
    assert [(one.channel, one.address) for one in addresses.found] == found
    assert [place for place, _ in addresses.rejected] == rejected


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "github: *nobody\n",
        "<<: &x {github: a}\npatreon: *x\n",
        "github: [a\n",
        "- github\n",
        "just text\n",
        "a: b\n---\nc: d\n",
        "github: a\n" + "#" * (65 << 10),
        "\x00",
        "github: " + "[" * 10_000,
        'github: "\\UFFFFFFFF"',
    ],
)
def test_what_is_no_funding_file_is_one_error_at_once(text: str) -> None:
    with pytest.raises(ParseError):
        funding_yml(text)


def test_tags_construct_nothing() -> None:
    addresses = funding_yml('github: !!python/object/apply:os.getcwd []\ncustom: !!python/name:os.system "a.org"\n')
    assert [(one.channel, one.address) for one in addresses.found] == [("other", "a.org")]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    text=st.text(max_size=60)
    | st.lists(st.sampled_from(["github", ": ", "\n", "[", "]", "a", "- ", "'", "{", "&a ", "*a", "!!int "])).map(
        "".join
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (funding_yml, funding_json):
        try:
            addresses = read(text)
        except ParseError:
            continue
        assert all(one.channel in CHANNELS and one.address.isprintable() for one in addresses.found)


def manifest(*channels: Any, **changes: Any) -> str:
    body = {
        "version": "v1.0.0",
        "entity": {"type": "individual", "role": "maintainer", "name": "The One", "email": "neo@example.com"},
        "funding": {"channels": list(channels), "plans": []},
    }
    return json.dumps(body | changes)


def test_the_channels_of_the_published_example() -> None:
    """https://floss.fund/static/funding.example.json: a bank without an address, and a page of a provider."""
    bank = {"guid": "mybank", "type": "bank", "address": "", "description": "Please e-mail me for details."}
    page = {"guid": "mypay", "type": "payment-provider", "address": "https://example.com/payme/@myid"}
    addresses = funding_json(manifest(bank, page))
    assert addresses.rejected == []
    assert listed(addresses) == [("other", "https://example.com/payme/@myid", "funding.channels[1]")]


def test_the_channels_of_a_manifest_in_use() -> None:
    """Those of AerynOS/os-tools at 00242de."""
    sponsors = {
        "guid": "github-sponsors",
        "type": "payment-provider",
        "address": "https://github.com/sponsors/ikeycode",
    }
    ko_fi = {"guid": "kofi", "type": "payment-provider", "address": "https://ko-fi.com/AerynOS"}
    found = listed(funding_json(manifest(sponsors, ko_fi)))
    assert [one[:2] for one in found] == [("github_sponsors", "ikeycode"), ("ko_fi", "AerynOS")]


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (5, "expected an object"),
        ({"type": "bank", "address": "1"}, "guid"),
        ({"guid": "My Bank", "type": "bank", "address": "1"}, "guid"),
        ({"guid": "x" * 33, "type": "bank", "address": "1"}, "guid"),
        ({"guid": "a", "type": "crypto", "address": "1"}, "type must be one of"),
        ({"guid": "a", "type": ["bank"], "address": "1"}, "type must be one of"),
        ({"guid": "a", "type": "bank", "address": 5}, "expected text"),
        ({"guid": "a", "type": "bank", "address": "x" * 251}, "longer than 250"),
    ],
)
def test_a_channel_that_breaks_the_schema_rejects_itself(channel: Any, reason: str) -> None:
    good = {"guid": "bank", "type": "bank", "address": "Account: 12345 (branch: ABCX)"}
    addresses = funding_json(manifest(channel, good))
    assert listed(addresses) == [("bank", "Account: 12345 (branch: ABCX)", "funding.channels[1]")]
    ((place, why),) = addresses.rejected
    assert place == "funding.channels[0]"
    assert reason in why


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"name": "x"}', manifest(version="v2.0.0"), manifest(version=1), manifest(funding=[]),
     manifest(funding={"channels": {}}), "[" * 100_000],
)  # fmt: skip
def test_a_file_that_is_no_manifest_is_one_error(text: str) -> None:
    with pytest.raises(ParseError):
        funding_json(text)


def test_the_files_of_drips_and_optimism() -> None:
    """FFmpeg/FFmpeg at a8c21a7, GitDataAI/jzfs at 5a1acb4, 0xSplits/splits-contracts at 1d97dfb."""
    drips = '{"drips": {"ethereum": {"ownedBy": "0x2f3900e7064eE63D30d749971265858612AA7139"}}}'
    assert listed(funding_json(drips)) == [
        ("drips", "0x2f3900e7064eE63D30d749971265858612AA7139", "drips.ethereum.ownedBy")
    ]
    filecoin = '{"drips": {"filecoin": {"ownedBy": "0x8cb64114bE40D2486e8de697f59E0c11C658af75"}}}'
    assert listed(funding_json(filecoin))[0][1] == "filecoin:0x8cb64114bE40D2486e8de697f59E0c11C658af75"
    assert funding_json('{"opRetro": {"projectId": "0xb626"}}') == Addresses()
    broken = funding_json('{"drips": {"ethereum": {"ownedBy": "vitalik.eth"}, "base": 5}}')
    assert [place for place, _ in broken.rejected] == ["drips.ethereum.ownedBy", "drips.base.ownedBy"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://opencollective.com/babel/donate", ("open_collective", "babel")),
        ("https://www.patreon.com/c/Name", ("patreon", "Name")),
        ("liberapay.com/Name/", ("liberapay", "Name")),
        ("paypal.me/x", ("paypal", "paypal.me/x")),
        ("https://github.com/sponsors", ("other", "https://github.com/sponsors")),
        ("https://github.com.evil.example/sponsors/a", ("other", "https://github.com.evil.example/sponsors/a")),
        ("https://evil.example/github.com/sponsors/a", ("other", "https://evil.example/github.com/sponsors/a")),
        ("http://[x", ("other", "http://[x")),
        ("0x12", ("other", "0x12")),
    ],
)
def test_pages_of_known_platforms(address: str, expected: tuple[str, str]) -> None:
    assert recognized(address) == expected


@pytest.mark.parametrize(
    ("path", "known"), [(".github/FUNDING.yml", True), ("FUNDING.json", True), ("README.md", False)]
)
def test_which_files_are_read(path: str, known: bool) -> None:
    assert (reader(path) is not None) is known


def test_programs_and_people() -> None:
    assert all(is_bot(login.upper()) for login in WELL_KNOWN)
    assert is_bot("dependabot[bot]") and is_bot("anything[bot]", "User") and is_bot("octocat", "Bot")
    assert not [login for login in ("talbot", "bottleneck-dev", "abbott", "robot", "k8s") if is_bot(login, "User")]
    assert all(login == login.lower() and "https://" in source for login, source in WELL_KNOWN.items())
