"""Where to pay a repository, as its own files say: `.github/FUNDING.yml` and `funding.json`. Pure.

`FUNDING.yml` is GitHub's (https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/
customizing-your-repository/displaying-a-sponsor-button-in-your-repository): a name, or a list of names, a platform.
`funding.json` is the FLOSS/fund manifest v1 (https://floss.fund/funding-manifest): `funding.channels` with guid, type
and address; channels without an address (bank details on request) are no address. A file of the same name is read by
Drips (`drips.<chain>.ownedBy`, https://docs.drips.network) and by Optimism (`opRetro.projectId`, which names a project
there and holds no address).

Both are written by strangers: no YAML type is ever constructed, aliases are refused, sizes are bounded, and one wrong
line rejects itself only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from coevo_pipelines.scrapes.addresses import HOST
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import json_object

LARGEST = 64 << 10
"""Bytes up to which a funding file is read; GitHub's example has 150."""
LONGEST = 250
"""Characters of an address, as the FLOSS/fund schema bounds it."""

ETHEREUM = re.compile(r"0x[0-9a-fA-F]{40}")
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

_PLATFORMS = {
    "github": "github_sponsors",
    "open_collective": "open_collective",
    "patreon": "patreon",
    "ko_fi": "ko_fi",
    "liberapay": "liberapay",
    "custom": None,  # the address itself says which
    **dict.fromkeys(
        ("buy_me_a_coffee", "community_bridge", "issuehunt", "lfx_crowdfunding", "otechie", "polar", "thanks_dev",
         "tidelift"), "other",
    ),
}  # fmt: skip
_MOST = {"github": 5, "custom": 4}  # one organisation and four people; four links; else one name
_HOSTS = {
    "github.com": ("github_sponsors", re.compile(r"/sponsors/([A-Za-z0-9-]+)/?")),
    "opencollective.com": ("open_collective", re.compile(r"/([A-Za-z0-9_.-]+)(?:/.*)?")),
    "patreon.com": ("patreon", re.compile(r"/(?:c/|join/)?([A-Za-z0-9_.-]+)/?")),
    "ko-fi.com": ("ko_fi", re.compile(r"/([A-Za-z0-9_.-]+)/?")),
    "liberapay.com": ("liberapay", re.compile(r"/([A-Za-z0-9_.~-]+)(?:/.*)?")),
}
_TYPES = ("bank", "payment-provider", "cheque", "cash", "other")
_GUID = re.compile(r"[a-z0-9-]{1,32}")
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True)
class Address:
    """Where money can go: a channel of `traces.payouts`, the address on it, and the place that says so."""

    channel: str
    address: str
    place: str


@dataclass
class Addresses:
    """What one file gives, and what in it could not be read: (place, reason)."""

    found: list[Address] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def add(self, channel: str, address: str, place: str) -> None:
        if address.endswith(f"@{HOST}"):
            self.reject(place, "an e-mail address, which is not stored: it can be given in the register")
            return
        self.found.append(Address(channel, address, place))

    def reject(self, place: str, reason: str) -> None:
        self.rejected.append((place, reason))


def reader(path: str) -> Callable[[str], Addresses] | None:
    """The function that reads the file of this path inside a repository; None when it is no funding file."""
    known = {".github/funding.yml": funding_yml, "funding.yml": funding_yml, "funding.json": funding_json}
    return known.get(path.lower())


def funding_yml(text: str) -> Addresses:
    """The addresses of a `FUNDING.yml`. Raises ParseError when it is no YAML mapping at all."""
    _check_size(text)
    result = Addresses()
    seen: set[str] = set()
    for place, platform, names in _platforms(text):
        if platform not in _PLATFORMS:
            result.reject(place, f"unknown platform {platform[:60]!r}")
        elif platform in seen:
            result.reject(place, f"{platform} is given twice")
        elif names is None:
            result.reject(place, f"{platform}: expected a name or a list of names")
        else:
            given = [(where, name) for where, name in names if name not in _EMPTY]
            most = _MOST.get(platform, 1)
            for where, name in given[:most]:
                _add_name(result, where, platform, name)
            for where, _ in given[most:]:
                result.reject(where, f"{platform}: more than {most}")
        seen.add(platform)
    return result


def funding_json(text: str) -> Addresses:
    """The addresses of a `funding.json`. Raises ParseError when it is none of the files known by that name."""
    _check_size(text)
    body = json_object(text.encode("utf-8", "replace"))
    result = Addresses()
    if "drips" in body:
        _read_drips(result, body["drips"])
    if "funding" in body or "version" in body:
        _read_manifest(result, body)
    elif not {"drips", "opRetro"} & set(body):
        raise ParseError("neither a FLOSS/fund manifest (funding.channels) nor a file of Drips or Optimism")
    return result


def recognized(address: str) -> tuple[str, str]:
    """(channel, address) of a free-form address: a known platform's page is reduced to the account on it."""
    if ETHEREUM.fullmatch(address):
        return "ethereum", address
    with_scheme = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(with_scheme)
    except ValueError:
        return "other", address
    host = (parts.hostname or "").removeprefix("www.")
    if host in {"paypal.me", "paypal.com"}:
        return "paypal", address
    channel, pattern = _HOSTS.get(host, ("other", None))
    match = pattern.fullmatch(parts.path) if pattern else None
    return (channel, match[1]) if match else ("other", address)


def readable(value: Any, longest: int = LONGEST) -> str:
    """A line of text without control characters or halves of surrogate pairs; ParseError otherwise."""
    if not isinstance(value, str):
        raise ParseError(f"expected text, found {type(value).__name__}")
    text = " ".join(value.split())
    if not text:
        raise ParseError("is empty")
    if len(text) > longest or not text.isprintable():
        raise ParseError(f"is longer than {longest} characters or holds what cannot be printed")
    return text


def _add_name(result: Addresses, place: str, platform: str, name: str) -> None:
    try:
        address = readable(name)
    except ParseError as error:
        result.reject(place, f"{platform} {error}")
        return
    channel = _PLATFORMS[platform]
    if channel is None:
        result.add(*recognized(address), place)
    elif channel == "other":
        result.add(channel, f"{platform}:{address}", place)
    elif (LOGIN if platform == "github" else SLUG).fullmatch(address):
        result.add(channel, address, place)
    else:
        result.reject(place, f"{platform}: not a name there: {address[:60]!r}")


def _read_drips(result: Addresses, chains: Any) -> None:
    if not isinstance(chains, dict):
        result.reject("drips", "expected an object of chains")
        return
    for chain, entry in chains.items():
        place, owner = f"drips.{chain[:40]}.ownedBy", entry.get("ownedBy") if isinstance(entry, dict) else None
        if isinstance(owner, str) and ETHEREUM.fullmatch(owner) and SLUG.fullmatch(chain):
            result.add("drips", owner if chain == "ethereum" else f"{chain}:{owner}", place)
        else:
            result.reject(place, "not an address of 0x and 40 hexadecimal digits")


def _read_manifest(result: Addresses, body: dict[str, Any]) -> None:
    version = body.get("version")
    if not isinstance(version, str) or not re.fullmatch(r"v1(\.\d+){0,2}", version):
        raise ParseError(f"version is {str(version)[:40]!r}, not v1.x.x")
    funding = body.get("funding")
    channels = funding.get("channels") if isinstance(funding, dict) else None
    if not isinstance(channels, list):
        raise ParseError("funding.channels is not a list")
    for number, channel in enumerate(channels):
        place = f"funding.channels[{number}]"
        try:
            _read_channel(result, place, channel)
        except ParseError as error:
            result.reject(place, str(error))


def _read_channel(result: Addresses, place: str, channel: Any) -> None:
    if not isinstance(channel, dict):
        raise ParseError("expected an object")
    guid, kind = channel.get("guid"), channel.get("type")
    if not isinstance(guid, str) or not _GUID.fullmatch(guid):
        raise ParseError("guid must be 1 to 32 of a-z, 0-9 and '-'")
    if kind not in _TYPES:
        raise ParseError(f"type must be one of {', '.join(_TYPES)}")
    given = channel.get("address")
    if given is None or given == "":
        return
    try:
        address = readable(given)
    except ParseError as error:
        raise ParseError(f"address {error}") from error
    if kind == "bank":
        result.add("bank", address, place)
    elif kind in {"cheque", "cash"}:
        result.add("other", f"{kind}: {address}", place)
    else:
        known, account = recognized(address)
        result.add("paypal" if known == "other" and "paypal" in guid else known, account, place)


def _platforms(text: str) -> Iterator[tuple[str, str, list[tuple[str, str]] | None]]:
    """(place, platform, names with their places) of each key; the names are None where they are no names.

    Only the syntax tree is used: nothing is constructed, so no tag has an effect and every value is its text.
    """
    import yaml

    class Loader(yaml.BaseLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise ParseError("not YAML of a funding file: it holds an alias")  # they can multiply without bound
            return super().compose_node(parent, index)

    try:
        root = yaml.compose(text, Loader=Loader)
    except ParseError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # escapes, depth
        raise ParseError(f"not YAML: {str(error).splitlines()[0]}") from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value in _EMPTY):
        return
    if not isinstance(root, yaml.MappingNode):
        raise ParseError("not a mapping of platforms")
    for key, value in root.value:
        nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
        names = [(_line(node), node.value) for node in nodes if isinstance(node, yaml.ScalarNode)]
        yield _line(key), str(key.value), names if len(names) == len(nodes) else None


def _line(node: Any) -> str:
    return f"line {node.start_mark.line + 1}"


def _check_size(text: str) -> None:
    if len(text) > LARGEST:
        raise ParseError(f"the file is longer than {LARGEST >> 10} KiB")
