"""One file of a tree: does it go into the pack, as what text, and can its bytes be given back?

The rules in their order, the first that holds gives the reason:
1. a submodule and a symlink are listed (`submodule`, `symlink`), whatever they point at;
2. a Git LFS pointer (git-lfs docs/spec.md) is listed: `lfs_pointer`;
3. a file whose extension is not wanted and that is no licence or notice file: `extension`;
4. larger than the limit: `too_large`;
5. a file that opens with a UTF-16 or UTF-32 byte order mark is what the mark says, if that fits to the last byte;
6. a NUL in the first 8000 bytes (where git looks too, `buffer_is_binary`): `binary`;
7. valid UTF-8 is packed as it is: CRLF, byte order mark, and a NUL after the first 8000 bytes too, since U+0000 is
   a character like any other to UTF-8 and the way back is exact;
8. what is not valid UTF-8 and holds a NUL anywhere: `binary`, no charset is guessed for it;
9. the charset that the file declares (XML declaration, PEP 263 line), else the one detected, is taken if decoding
   and encoding again gives the same bytes; if none does: `undecodable`.
A notebook is then stripped of its outputs if the rules say so; only then can its bytes not be given back.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Any, Literal

from coevo_pipelines.genome import licences, notebooks

Reason = Literal[
    "packed",
    "submodule",
    "symlink",
    "lfs_pointer",
    "extension",
    "too_large",
    "binary",
    "undecodable",
    "archive_limit",
    "archive_damaged",
]  # in the order in which they are tried, but for the first; the last two only of what is in an archive

EXTENSIONS = frozenset({
    ".py", ".rs", ".js", ".ts", ".java", ".c", ".h", ".cpp", ".go", ".sh", ".json", ".yaml", ".yml", ".toml", ".xml",
    ".ini", ".md", ".txt", ".rst", ".ipynb",
})  # fmt: skip
"""What is packed by default."""

LANGUAGES = {
    extension: language
    for language, extensions in {
        "Python": ".py .pyi",
        "Rust": ".rs",
        "JavaScript": ".js .mjs .cjs .jsx",
        "TypeScript": ".ts",
        "TSX": ".tsx",
        "Java": ".java",
        "Kotlin": ".kt",
        "Swift": ".swift",
        "C": ".c .h",
        "C++": ".cpp .cc .hpp",
        "C#": ".cs",
        "Go": ".go",
        "Shell": ".sh .bash",
        "Ruby": ".rb",
        "PHP": ".php",
        "R": ".r",
        "Julia": ".jl",
        "Lua": ".lua",
        "SQL": ".sql",
        "JSON": ".json",
        "YAML": ".yaml .yml .cff",
        "TOML": ".toml",
        "XML": ".xml",
        "INI": ".ini",
        "HTML": ".html",
        "CSS": ".css",
        "SVG": ".svg",
        "CSV": ".csv",
        "TeX": ".tex",
        "Markdown": ".md",
        "reStructuredText": ".rst",
        "Text": ".txt",
        "Jupyter Notebook": ".ipynb",
    }.items()
    for extension in extensions.split()
}
"""Extension -> language, as GitHub's Linguist names it."""

_SUBMODULE = 0o160000

DECISIONS = 1
"""Goes up when `decide`, `archives.members` or what they use decide otherwise: old packs are not taken over then."""

HEAD = 8000
"""Bytes in which a NUL makes a file binary."""

LFS_LARGEST = 1024
"""Bytes: a pointer file is smaller (git-lfs docs/spec.md)."""

TARGET_LARGEST = 4096
"""Bytes of a symlink's target: no system follows a longer one (PATH_MAX of Linux, git fsck's symlinkTargetLength)."""

_BOMS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

_LFS = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
    rb"(?:ext-\d-[^\n]+\n)*oid sha256:[0-9a-f]{64}\nsize \d+\n"
)
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")
_PEP263 = re.compile(rb"(?:[^\r\n]*(?:\r\n|\r|\n))?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]{1,40})", re.ASCII)

DETECTABLE = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "cp866",
    "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
"""Charsets that are looked for where nothing is declared: one for each script and habit. Out of all that Python
knows a short text would fit dozens."""

DECLARABLE = frozenset(DETECTABLE) | {
    "latin_1", *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)), "cp1258", "cp437",
    "cp850", "cp852", "cp874", "koi8_u", "mac_roman", "mac_cyrillic", "shift_jis", "euc_kr", "gbk", "gb2312", "cp950",
    "big5hkscs", "tis_620",
}  # fmt: skip
"""Charsets that a file may declare. A list, because a file must not choose which codec of Python runs on it
(idna and punycode take quadratic time)."""

_UNSHOWN = re.compile("[\\\\\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\udc80-\udcff]")
_SHOWN = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


@dataclass(frozen=True)
class Rules:
    """What goes into the pack. `largest` is in bytes of the blob; extensions are lower case, with their dot."""

    extensions: frozenset[str] = EXTENSIONS
    all_text: bool = False
    largest: int = 5_000_000
    strip_notebooks: bool = True
    archives: bool = False
    """What is in zip and tar files goes in too (`archives.py`)."""

    def told(self) -> dict[str, Any]:
        """For the manifest: what would have been packed."""
        return {**asdict(self), "extensions": sorted(self.extensions), "decisions": DECISIONS}


@dataclass(frozen=True)
class Decision:
    """What becomes of one file. `text` is UTF-8 and, like `charset`, None unless packed."""

    reason: Reason
    text: bytes | None = None
    charset: str | None = None
    """Python's name of the charset that `text` was decoded from; "utf-8" means that the bytes are the blob's."""
    charset_from: Literal["utf-8", "bom", "declared", "detected"] | None = None
    stripped: bool = False
    """A notebook without its outputs: the one case where a packed file's bytes cannot be given back."""
    invalid_notebook: bool = False
    """To be stripped but no notebook that could be: packed as it is."""
    language: str | None = None
    licence_kind: licences.Kind | None = None
    target: bytes | None = None
    """Where a symlink points, never followed; None where that is too long to be a path."""

    @property
    def packed(self) -> bool:
        return self.reason == "packed"

    @property
    def exact(self) -> bool:
        """`restore(text, charset)` gives the blob's bytes."""
        return self.packed and not self.stripped


def decide(path: bytes, mode: int, data: bytes | None, size: int, rules: Rules) -> Decision:
    """What becomes of the file at `path` with git's `mode` and `size` bytes.

    `data` may be None for a submodule and for what has more than `rules.largest` bytes, which is never looked into;
    ValueError for any other. ValueError too for a mode that no file of a tree has.
    """
    suffix = extension(path)
    language = LANGUAGES.get(suffix)
    licence_kind = licences.kind(path)
    is_wanted = rules.all_text or licence_kind is not None or suffix in rules.extensions
    kept_out = _kept_out(path, mode, data, size, rules.largest, is_wanted)
    found = kept_out or _decoded(data or b"")
    if isinstance(found, str):
        target = data if found == "symlink" and size <= TARGET_LARGEST else None
        return Decision(found, language=language, licence_kind=licence_kind, target=target)
    text, charset, charset_from = found
    stripped = notebooks.strip(text) if rules.strip_notebooks and suffix == ".ipynb" else None
    return Decision(
        "packed",
        text=text if stripped is None else stripped,
        charset=charset,
        charset_from=charset_from,
        stripped=stripped is not None,
        invalid_notebook=rules.strip_notebooks and suffix == ".ipynb" and stripped is None,
        language=language,
        licence_kind=licence_kind,
    )


def restore(text: bytes, charset: str) -> bytes:
    """The bytes that `text` (UTF-8) was decoded from; UnicodeError or LookupError where it cannot have been."""
    return text if charset == "utf-8" else text.decode().encode(charset)


def is_lfs_pointer(data: bytes) -> bool:
    """A Git LFS pointer, also of the version before its first release."""
    return len(data) < LFS_LARGEST and data.startswith(b"version https://") and bool(_LFS.fullmatch(data))


def extension(path: bytes) -> str:
    """The extension with its dot in lower case, or ""; a leading dot makes none (.bashrc), as in os.path.splitext."""
    stem, dot, last = path.rpartition(b"/")[2].rpartition(b".")
    return "." + last.decode("utf-8", "replace").lower() if dot and stem.strip(b".") else ""


def shown(path: bytes) -> str:
    """The path as one line for people, reversible by `path_of`: a backslash is doubled, and bytes that are not UTF-8
    or whose character is a control, a line separator or turns the direction of writing become \\xHH each."""
    return _UNSHOWN.sub(_hidden, path.decode("utf-8", "surrogateescape"))


def path_of(line: str) -> bytes:
    """The path that `shown` made this line of; ValueError for a line that it never makes."""
    path = _SHOWN.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", line.encode("utf-8", "replace")
    )
    if shown(path) != line:
        raise ValueError(f"{line!a}: not a path as this program writes it")
    return path


def _hidden(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\\":
        return "\\\\"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _kept_out(path: bytes, mode: int, data: bytes | None, size: int, largest: int, is_wanted: bool) -> Reason | None:
    """Rules 1 to 4; None where the content decides."""
    kind = stat.S_IFMT(mode)
    if kind == _SUBMODULE:
        return "submodule"
    if kind not in (stat.S_IFLNK, stat.S_IFREG):
        raise ValueError(f"{shown(path)} (mode {mode:o}): not a file, symlink or submodule")
    if data is None and size <= largest:
        raise ValueError(
            f"{shown(path)} (mode {mode:o}): its {size} bytes are needed to decide; only submodules and larger files "
            "go without"
        )
    if kind == stat.S_IFLNK:
        return "symlink"
    if data is not None and is_lfs_pointer(data):
        return "lfs_pointer"
    if not is_wanted:
        return "extension"
    return "too_large" if size > largest else None


_Decoded = tuple[bytes, str, Literal["utf-8", "bom", "declared", "detected"]]


def _decoded(data: bytes) -> _Decoded | Literal["binary", "undecodable"]:
    """Rules 5 to 9: the text, its charset and how that was found, or why there is none."""
    marked = next((charset for bom, charset in _BOMS if data.startswith(bom)), None)
    if marked and (text := _converted(data, marked)) is not None and b"\0" not in text:
        return text, marked, "bom"
    if data.find(b"\0", 0, HEAD) >= 0:
        return "binary"
    if _is_utf8(data):
        return data, "utf-8", "utf-8"
    if b"\0" in data:
        return "binary"
    for charset, charset_from in _guesses(data):
        if (text := _converted(data, charset)) is not None:
            return text, charset, charset_from
    return "undecodable"


def _guesses(data: bytes) -> Iterator[tuple[str, Literal["declared", "detected"]]]:
    if declared := _declared(data):
        yield declared, "declared"
    for charset in _detected(data):
        yield charset, "detected"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _converted(data: bytes, charset: str) -> bytes | None:
    """`data` in UTF-8, or None unless that can be turned back into the same bytes."""
    try:
        text = data.decode(charset).encode()
        return text if restore(text, charset) == data else None
    except UnicodeError:
        return None


def _declared(data: bytes) -> str | None:
    found = _XML.match(data) or _PEP263.match(data)
    if not found:
        return None
    # Emacs writes the kind of line end behind the charset (latin-1-unix).
    name = normalize_encoding(re.sub(r"-(unix|dos|mac)$", "", found[1].decode("ascii", "replace").lower()))
    charset = aliases.get(name, name)
    return charset if charset in DECLARABLE else None


def _detected(data: bytes) -> Iterator[str]:
    """Charsets that `data` may be in, the likeliest first, as charset-normalizer has it; where it cannot tell apart
    what is equal in both, Western European goes first."""
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(DETECTABLE))
    tied = {name for match in matches if match.chaos == matches[0].chaos for name in match.could_be_from_charset}
    if "cp1252" in tied:
        yield "cp1252"
    yield from (match.encoding for match in matches)
