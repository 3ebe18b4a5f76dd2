"""E-mail addresses in answers: each becomes a pseudonym before anything is stored. Pure, on bytes.

`ada@example.org` becomes `<8 hex digits>@redacted.invalid`: the digits begin the sha256 of the address in lower case,
so that two people stay two and one stays one, and whoever knows an address can check for it, but nobody can read one.
What is stored is still JSON, XML or text as before: an address is replaced where it stands, also one written with
escapes of JSON (`\\u0040`), of addresses (`%40`) or of HTML (`&#64;`).

In doubt it is an address, for what is taken out can be asked for again and what was stored cannot be unsaid. Kept are:
- service accounts of repositories (`git@github.com:owner/name`); of another one only the name goes, and the link stays;
- packages and files (`react@18.2.0-rc.1`, `logo@2x.png`), calls (`x@w.reshape(2)`), handles (`@ada@mastodon.social`);
- a DOI that holds an @.
"""

from __future__ import annotations

import hashlib
import html
import json
import re

HOST = "redacted.invalid"
"""RFC 2606: no such host can be."""

_REDACTED = re.compile(rf"([0-9a-f]{{8}})@{re.escape(HOST)}")
_LONGEST = 64
"""Of a local part (RFC 5321, 4.5.3.1.1)."""
_WINDOW = 200
"""Bytes looked back on for a local part with escapes, each of which takes up to six."""

_AT = re.compile(rb"@|\\u0040|%(?:25){0,2}40|&(?:amp;)?(?:#0*64|#[xX]0*40|commat);")
_LATIN = rb"[\xc3-\xc9][\x80-\xbf]"  # letters of names in Latin script, in UTF-8
_UNIT = re.compile(
    rb"\\u[0-9A-Fa-f]{4}|%(?:25)?[0-9A-Fa-f]{2}|&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});|"
    + _LATIN
    + rb"|[A-Za-z0-9._+'\[\]-]"
)
# The same from right to left, to be matched on reversed bytes: a local part ends where the sign for "at" begins.
_BACK = re.compile(
    rb"(?:[0-9A-Fa-f]{4}u\\|[0-9A-Fa-f]{2}(?:52)?%|;(?:[0-9]{1,7}|[0-9A-Fa-f]{1,6}[xX])#&|[\x80-\xbf][\xc3-\xc9]"
    rb"|[A-Za-z0-9._+'\[\]-])+"
)
_SIMPLE = re.compile(rb"[A-Za-z0-9._+'\[\]-]+")
_MEANING = frozenset(rb"\%;") | frozenset(range(0x80, 0x100))
"""Bytes before a local part from which on it is not what it looks like."""
_LETTER = re.compile(r"[A-Za-z0-9._+'\[\]À-ɏ-]")
_LABEL = rb"(?:[A-Za-z0-9]|" + _LATIN + rb")(?:[A-Za-z0-9_-]|" + _LATIN + rb"){0,62}"
_DOT = rb"(?:\.|%(?:25)?2[eE]|\\u002[eE]|&(?:#0*46|#[xX]0*2[eE]|period);)"
_HOST = re.compile(
    rb"((?:" + _LABEL + _DOT + rb"){1,8}?)([A-Za-z]{2,24}|[xX][nN]--[A-Za-z0-9-]{2,59})"
    rb"(?!" + _DOT + rb"[A-Za-z0-9]|[A-Za-z0-9]|[-_]+[A-Za-z0-9])"
)
_ANY_HOST = re.compile(rb"\[[0-9A-Fa-f:.IPv]{2,60}\]|" + _LABEL + rb"(?:" + _DOT + _LABEL + rb"){0,8}")
_TOLD = re.compile(
    rb"(?i)(?:mailto(?::|%3A|\\u003a)|<|&lt;|&#60;|\\u003c|%3C|e-?mail\\?[\"']?[ \t]{0,9}[:=][ \t]{0,9}\\?[\"']?)$"
)
_BEFORE = frozenset(bytes([byte]) for byte in b":=\"' \t;cCaA")
_PATH = re.compile(rb"[:/][\w~.-]")
_IN_DOI = re.compile(rb"(?i)10\.[0-9]{4,9}(?:/|%2F|\\/)[\w.()/;:<>&%+-]*$")
_VERSION = re.compile(r"v?[0-9]+(?:[_-].*)?", re.IGNORECASE)
_SERVICE = frozenset({"git", "ssh", "hg", "svn", "gitea", "gitlab", "aur", "anonymous"})
_LINKED = re.compile(r"(?:.*\.)?(?:github\.com|huggingface\.co|hf\.co|arxiv\.org|doi\.org)", re.IGNORECASE)
"""Hosts whose addresses name works: `identifiers.in_text` finds them."""
_FORGE = re.compile(r"(?:.*\.)?(?:github|gitlab|bitbucket|huggingface|hf|codeberg|gitee|sr)\.(?:com|org|co|ht)", re.I)
_SURE_TOPS = frozenset({"com", "org", "net", "edu", "gov"})
_ENDINGS = (
    "png jpg jpeg gif svg webp bmp tif tiff pdf ico css scss js mjs cjs jsx ts tsx json yaml yml toml xml html htm txt "
    "rst csv tsv zip gz tgz tar whl exe dll bin dat log ipynb cpp hpp java rb bat onnx pth npy npz safetensors"
)
_CODE = "shape dtype size values data grad mean sum reshape view astype weight weights bias numpy flatten transpose"
"""What stands behind a point after the matrix product: `x@w.shape`."""
_NO_TOPS = frozenset(f"{_ENDINGS} {_CODE}".split())
_EMAIL_KEY = re.compile(rb'"(?:[\w-]{0,40}[_-])?[eE]?-?[mM]ail"\s{0,9}:\s{0,9}"((?:[^"\\]|\\.){1,1000})"')


def digest(address: str) -> str:
    """The 8 hexadecimal digits that stand for an address, also for one that was replaced already."""
    plain = address.strip().lower()
    done = _REDACTED.fullmatch(plain)
    return done[1] if done else hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:8]


def pseudonym(address: str) -> str:
    """What stands in the place of an address."""
    return f"{digest(address)}@{HOST}"


def redact(body: bytes) -> bytes:
    """`body` with every e-mail address replaced. Takes time in proportion to the length, whatever is in it."""
    if b'ail"' in body:
        body = _EMAIL_KEY.sub(_field, body)
    if not (b"@" in body or b"40" in body or b"&#" in body or b"&commat;" in body):
        return body
    out, done = bytearray(), 0
    for at in _AT.finditer(body):
        found = _around(body, at.start(), at.end(), done)
        if found is not None:
            start, end, instead = found
            out += body[done:start]
            out += instead
            done = end
    return bytes(out + body[done:]) if done else body


def redact_text(text: str) -> str:
    """The same of a text."""
    if "@" not in text and "40" not in text and "&" not in text:
        return text
    return redact(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _field(match: re.Match[bytes]) -> bytes:
    """A JSON field that is named for an address: all of its value is one, however unusual (`root@ubuntu`)."""
    try:
        value = json.loads(b'"' + match[1] + b'"')
    except ValueError:
        return match[0]
    if "@" not in value:
        return match[0]
    start = match.start(1) - match.start()
    return match[0][:start] + pseudonym(value).encode() + b'"'


def _around(body: bytes, start: int, end: int, done: int) -> tuple[int, int, bytes] | None:
    """(start, end, replacement) of the address whose sign for "at" is body[start:end]; None where there is none."""
    host = _HOST.match(body, end)
    if start <= done or (host is None and not _ANY_HOST.match(body, end, end + 1)):
        return None
    first, local = _local(body, start, done)
    if not local or body[first - 1 : first] == b"@":
        return None
    told = _is_told(body, first)
    whole = host or (_ANY_HOST.match(body, end) if told else None)
    if whole is None:
        return None
    name, goes_on = _plain(whole[0]), _PATH.match(body, whole.end()) is not None
    if goes_on and local.lower() not in _SERVICE and _LINKED.fullmatch(name):
        return first, start, digest(f"{local}@{name}").encode()
    is_host = told or (host is not None and _is_host(local, name, host[2], body[host.end() : host.end() + 1]))
    is_service = local.lower() in _SERVICE and (goes_on or _FORGE.fullmatch(name))
    if not is_host or is_service or name.lower() == HOST or _is_in_doi(body, first):
        return None
    sign = body[start:end] if body[start:end].startswith(b"%") else b"@"
    return first, whole.end(), digest(f"{local}@{name}").encode() + sign + HOST.encode()


def _local(body: bytes, end: int, done: int) -> tuple[int, str]:
    """(where it begins, what it says) of the local part that ends at `end`; not before `done`."""
    run = _SIMPLE.match(body[max(done, end - _LONGEST) : end][::-1])
    first = end - run.end() if run else end
    if first and body[first - 1] not in _MEANING:
        local = body[first:end].decode("ascii")
        bare = local.lstrip(".-+'[]")
        return end - len(bare), bare
    return _local_of_units(body, end, done)


def _local_of_units(body: bytes, end: int, done: int) -> tuple[int, str]:
    """The same where there may be escapes, or letters beyond ASCII."""
    run = _BACK.match(body[max(done, end - _WINDOW) : end][::-1])
    if run is None:
        return end, ""
    start = end - run.end()
    if body[max(0, start - 1) : start] == b"\\" and body[start : start + 1] in b"bfnrtu":
        start += 1  # the letter belongs to an escape: "\nada@example.org"
    first, letters, kept = end, [], list(_UNIT.finditer(body, start, end))
    for unit in reversed(kept[-_LONGEST:]):
        letter = _plain(unit[0])
        if unit.end() != first or not _LETTER.fullmatch(letter):
            break
        first = unit.start()
        letters.append((letter, unit.end()))
    while letters and not (letters[-1][0].isalnum() or letters[-1][0] == "_"):
        first = letters.pop()[1]
    return first, "".join(letter for letter, _ in reversed(letters))


def _is_told(body: bytes, first: int) -> bool:
    """Whether what stands before says that an address follows."""
    before = body[max(0, first - 24) : first]
    if before.endswith(b"<"):
        return True
    return (
        before[-1:] in _BEFORE and (b"mail" in before.lower() or before[-1:] in b";cC") and bool(_TOLD.search(before))
    )


def _is_in_doi(body: bytes, first: int) -> bool:
    before = body[max(0, first - 130) : first]
    return b"10." in before and _IN_DOI.search(before) is not None


def _plain(written: bytes) -> str:
    """Without escapes."""
    text = written.decode("utf-8", "replace")
    if "\\" in text:
        text = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text)
    if "%" in text:
        text = re.sub(r"%(?:25)?([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)
    return html.unescape(text) if "&" in text else text


def _is_host(local: str, name: str, last: bytes, after: bytes) -> bool:
    """Whether what looks like a host is one, and not the version of a package, a file, or code. `last`: its last label,
    `after`: the byte behind it."""
    labels, top = name.split("."), last.decode("ascii").lower()
    if top in _NO_TOPS or (after == b"(" and top not in _SURE_TOPS):
        return False
    if len(labels) > 1 and sum(bool(_VERSION.fullmatch(label)) for label in labels[:-1]) == len(labels) - 1:
        return top in _SURE_TOPS and len(labels) == 2  # 163.com is one
    return top in _SURE_TOPS or len(local) > 1 or len(labels[0]) > 1
