"""Damage to a body, as strangers, broken proxies and attackers do it: bytes, lines, JSON values, XML elements.

Everything random comes from the generator that is given, so hypothesis can replay and shrink it, and a guided run can
give it libFuzzer's seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

TEXTS = (
    "",
    " ",
    "\n",
    "0",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\u2028",
    "\ufeff",
    "\uffff",
    "\ud800",  # half of a pair: valid in JSON, in no file
    "\U0001f4a9",
    "İ",  # two letters when made lower case
    "ß",
    "K",  # KELVIN SIGN: lower case is an ASCII k
    "٣٤٠١.٠١٢٣٤",  # digits, but not ASCII's
    "a" * 3_000,
    "{" * 300,
    "[" * 300,
    "\\frac{" * 100,
    "\\'{e}",
    "$x$ {\\o}",
    "%00",
    "%ff%fe",
    "../..",
    "a/b",
    "a/b/c",
    "o/n",
    "-/-",
    "W1",
    "https://openalex.org/W" + "9" * 30,
    "https://openalex.org/A1",
    "10.1/x",
    "https://doi.org/10.1000/%00%0a",
    "10.48550/arXiv.2401.01234v2",
    "10.48550/arXiv.",
    "arXiv:hep-th/9901001v3",
    "http://arxiv.org/abs/2401.01234v1",
    "http://[",
    "http://[::1",
    "https://github.com/a/b).",
    "https://huggingface.co/datasets/a/b",
    "0000-00-00",
    "0001-01-01",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31",
    "2026-02-30",
    "2026-W45-2",
    "20261103",
    "2026-11-03T24:00:00Z",
    "2026-11-03T08:00:00.123456789Z",
    "2026-11-03T08:00:00+00:00:01",
    "2026-11-03",
    "base_model:finetune:a/b",
    "dataset:a/b",
    "arxiv:2401.01234",
    "doi:10.1/x",
    "license:mit",
    "&a *a",
    "!!python/object/apply:os.system [true]",
    "<<: *x",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**400,
    1.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [None],
    [[]],
    [[[[]]]],
    {"": None},
    {"id": "a/b"},
    {"login": "o"},
    *TEXTS,
)
RAW = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r\n", b"'", b'"', b"<", b"&", b"]]>", b"\\", b"{", b"}")


def damaged(body: bytes, rng: Random) -> bytes:
    """`body` changed in one to three places, mostly where its own format has a joint."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        way = rng.choice((_json, _json, _json, _xml, _xml, _xml, _lines, _bytes))
        body = way(body, rng)
    return body


def _json(body: bytes, rng: Random) -> bytes:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _lines(body, rng)
    places = list(_places(value))
    if not places:
        return json.dumps(rng.choice(VALUES)).encode()
    holder, key = rng.choice(places)
    _CHANGES[rng.randrange(len(_CHANGES))](holder, key, rng)
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):  # a circle cannot be made here, a depth can
        return body


def _places(value: Any, most: int = 2_000) -> Iterator[tuple[Any, Any]]:
    """(container, key or index) of everything inside."""
    pending = [value]
    while pending and most > 0:
        container = pending.pop()
        if isinstance(container, dict | list):
            keys = list(container) if isinstance(container, dict) else range(len(container))
            for key in keys:
                most -= 1
                yield container, key
                pending.append(container[key])


def _replace(holder: Any, key: Any, rng: Random) -> None:
    holder[key] = rng.choice(VALUES)


def _remove(holder: Any, key: Any, _: Random) -> None:
    del holder[key]


def _wrap(holder: Any, key: Any, rng: Random) -> None:
    holder[key] = rng.choice(([holder[key]], [holder[key]] * 3, {"id": holder[key]}, str(holder[key])))


def _weave(holder: Any, key: Any, rng: Random) -> None:
    """Hostile text inside the text that is there."""
    text = str(holder[key])
    at = rng.randint(0, len(text))
    holder[key] = text[:at] + rng.choice(TEXTS) + text[at:]


def _rename(holder: Any, key: Any, rng: Random) -> None:
    if isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    else:
        holder.insert(rng.randint(0, len(holder)), rng.choice(VALUES))


_CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (_replace, _replace, _remove, _wrap, _weave, _weave, _rename)


def _xml(body: bytes, rng: Random) -> bytes:
    from lxml import etree

    if body.lstrip()[:1] != b"<":
        return _lines(body, rng)
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        elements = list(root.iter(etree.Element))
        node, way = rng.choice(elements), rng.randrange(6)
        parent = node.getparent()
        if way == 0:
            node.text = rng.choice(TEXTS)
        elif way == 1:
            node.text = (node.text or "") + rng.choice(TEXTS)
        elif way == 2 and parent is not None:
            parent.remove(node)
        elif way == 3 and parent is not None:
            parent.insert(0, etree.fromstring(etree.tostring(node, with_tail=False)))
        elif way == 4:
            node.tag = rng.choice(elements).tag
        else:
            node.set(rng.choice((*node.keys(), "term", "x")), rng.choice(TEXTS))
        return bytes(etree.tostring(root))
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return _bytes(body, rng)


def _lines(body: bytes, rng: Random) -> bytes:
    lines = body.splitlines(keepends=True) or [b""]
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(5)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[other])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 3:
        lines.insert(at, rng.choice(TEXTS).encode("utf-8", "surrogatepass") + b"\n")
    else:
        column = rng.randint(0, len(lines[at]))
        woven = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
        lines[at] = lines[at][:column] + woven + lines[at][column:]
    return b"".join(lines)


def _bytes(body: bytes, rng: Random) -> bytes:
    at, length = rng.randint(0, len(body)), rng.randint(1, 64)
    cut = body[at : at + length]
    return (
        body[:at],
        body[:at] + body[at + length :],
        body[:at] + cut + body[at:],
        body[:at] + rng.choice(RAW) + body[at:],
        body[:at] + bytes(byte ^ (1 << length % 8) for byte in cut[:1]) + body[at + 1 :],
    )[rng.randrange(5)]
