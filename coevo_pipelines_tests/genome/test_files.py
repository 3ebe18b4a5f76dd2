"""What is packed, what is listed and why; every packed text gives its bytes back."""

from __future__ import annotations

import codecs
import json
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coevo_pipelines.genome.files import (
    DECLARABLE,
    DETECTABLE,
    Decision,
    Reason,
    Rules,
    decide,
    extension,
    path_of,
    restore,
    shown,
)

FILE, EXECUTABLE, LINK, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"
JAPANESE = "日本語のテキスト。これはテストです。表示ソ能\n"


def decided(path: bytes, data: bytes, **rules: Any) -> Any:
    return decide(path, FILE, data, len(data), Rules(**rules))


@pytest.mark.parametrize(
    ("path", "data", "reason", "charset", "charset_from"),
    [
        (b"a.py", b"print(1)\n", "packed", "utf-8", "utf-8"),
        (b"A.PY", b"print(1)", "packed", "utf-8", "utf-8"),
        (b"empty.txt", b"", "packed", "utf-8", "utf-8"),
        (b"crlf.txt", b"a\r\nb\r\n", "packed", "utf-8", "utf-8"),
        (b"bom.txt", b"\xef\xbb\xbfa\n", "packed", "utf-8", "utf-8"),
        (b"token.txt", b"<|file_end|>", "packed", "utf-8", "utf-8"),
        (b"line.json", b"[" + b"1," * 150_000 + b"1]", "packed", "utf-8", "utf-8"),
        (b"nul.txt", b"a\0b", "binary", None, None),
        (b"nul7999.txt", b"x" * 7999 + b"\0", "binary", None, None),
        (b"nul8000.txt", b"x" * 8000 + b"\0", "packed", "utf-8", "utf-8"),
        (b"nul-late.txt", b"\xe9" + b"x" * 9000 + b"\0", "binary", None, None),
        (b"utf16.txt", "\ufeffdéjà 日本\n".encode("utf-16-le"), "packed", "utf-16-le", "bom"),
        (b"utf16be.txt", "\ufeffdéjà 日本\n".encode("utf-16-be"), "packed", "utf-16-be", "bom"),
        (b"utf32.txt", "\ufeffdéjà 🦆\n".encode("utf-32-le"), "packed", "utf-32-le", "bom"),
        (b"utf16-odd.txt", "\ufeffdéjà".encode("utf-16-le") + b"x", "binary", None, None),
        (b"utf16-lone.txt", b"\xff\xfe\x00\xd8a\0", "binary", None, None),
        (b"utf16-nul.txt", b"\xff\xfea\0\0\0b\0", "binary", None, None),
        (b"utf16-nobom.txt", "hello".encode("utf-16-le"), "binary", None, None),
        (b"latin.py", "# -*- coding: latin-1 -*-\n# café\n".encode("latin-1"), "packed", "latin_1", "declared"),
        (
            b"latin2.py",
            "#!x\n# vim: set fileencoding=iso-8859-2 :\n# ł\n".encode("iso8859-2"),
            "packed",
            "iso8859_2",
            "declared",
        ),
        (b"emacs.sh", "# coding: latin-1-unix\n# é\n".encode("latin-1"), "packed", "latin_1", "declared"),
        (b"third.py", "\n\n# coding: koi8-r\n# café\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (
            b"a.xml",
            '<?xml version="1.0" encoding="Shift_JIS"?><a>日本</a>'.encode("shift_jis"),
            "packed",
            "shift_jis",
            "declared",
        ),
        (b"ascii.py", b"# coding: latin-1\n", "packed", "utf-8", "utf-8"),
        (b"wrong.py", "# coding: euc-jp\n# déjà café\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (b"danger.py", "# coding: punycode\n# déjà café\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (b"unknown.py", "# coding: zlib\n# déjà café\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (b"latin.txt", "déjà vu: café, Größe\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (b"sjis.txt", JAPANESE.encode("shift_jis"), "packed", "cp932", "detected"),
        (b"euc.txt", JAPANESE.encode("euc_jp"), "packed", "euc_jp", "detected"),
        # Two codes of cp932 stand for one character (NEC row 13): the way back would change the byte.
        (b"nec.py", b"# coding: cp932\n#\x87\x90\n" + JAPANESE.encode("cp932"), "undecodable", None, None),
        (b"ru.txt", "Привет, мир. Это текст.\n".encode("koi8_r"), "packed", "koi8_r", "detected"),
        (b"pl.txt", "Zażółć gęślą jaźń\n".encode("cp1250"), "packed", "cp1250", "detected"),
        (b"noise.txt", Random(1).randbytes(5000).replace(b"\0", b"\1"), "undecodable", None, None),
        (b"a.png", b"\x89PNG", "extension", None, None),
        (b"Makefile", b"all:\n", "extension", None, None),
        (b".py", b"", "extension", None, None),
        (b"a.py/b", b"", "extension", None, None),
        (b"LICENSE", b"MIT", "packed", "utf-8", "utf-8"),
        (b"LICENSE.bin", b"MIT\0", "binary", None, None),
        (b"NOTICE.xyz", "Copyright © 2020 A Company\n".encode("latin-1"), "packed", "cp1252", "detected"),
        (b"model.bin", POINTER, "lfs_pointer", None, None),
        (b"model.json", POINTER, "lfs_pointer", None, None),
        (b"long-lfs.txt", POINTER.replace(b"oid", b"ext-0-x " + b"y" * 1024 + b"\noid"), "packed", "utf-8", "utf-8"),
        (b"ext-lfs.txt", POINTER.replace(b"oid", b"ext-0-x sha256:00\noid"), "lfs_pointer", None, None),
        (b"about-lfs.md", b"See " + POINTER, "packed", "utf-8", "utf-8"),
        (b"about-lfs.txt", POINTER + b"and more\n", "packed", "utf-8", "utf-8"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) and len(value) < 20 and value.isascii() else None,
)
def test_traps(path: bytes, data: bytes, reason: str, charset: str | None, charset_from: str | None) -> None:
    decision = decided(path, data)
    assert (decision.reason, decision.charset, decision.charset_from) == (reason, charset, charset_from)
    assert decision.packed == decision.exact == (reason == "packed")
    if decision.packed:
        decision.text.decode()
        assert restore(decision.text, decision.charset) == data
    else:
        assert decision.text is None


def test_utf8_is_passed_on_without_a_copy() -> None:
    data = "déjà\r\n".encode()
    assert decided(b"a.md", data).text is data


@given(st.binary(max_size=300))
def test_any_bytes_are_given_back_or_left_out(data: bytes) -> None:
    decision = decided(b"a.txt", data)
    assert decision.reason in get_args(Reason)
    if decision.packed:
        assert restore(decision.text, decision.charset) == data


@given(st.text(max_size=60), st.sampled_from(sorted(DECLARABLE)))
def test_any_declared_charset_is_given_back(text: str, charset: str) -> None:
    head = f"# -*- coding: {charset} -*-\n"
    try:
        data = (head + text).encode(charset)
    except UnicodeEncodeError:
        assume(False)
    decision = decided(b"a.py", data)
    if b"\0" not in data:
        assert decision.packed or decision.reason == "undecodable"
    if decision.packed:
        assert restore(decision.text, decision.charset) == data


def test_the_tables_name_codecs_of_python() -> None:
    for charset in DECLARABLE | set(DETECTABLE):
        assert codecs.lookup(charset).name


def test_links_and_submodules_are_listed() -> None:
    link = decide(b"a.py", LINK, b"../../etc/passwd", 16, Rules(all_text=True))
    assert (link.reason, link.target, link.text) == ("symlink", b"../../etc/passwd", None)
    module = decide(b"LICENSE", SUBMODULE, None, 0, Rules())
    assert (module.reason, module.text) == ("submodule", None)
    assert decide(b"a.sh", EXECUTABLE, b"x", 1, Rules()).packed


def test_size() -> None:
    assert decided(b"a.txt", b"12345", largest=5).packed
    assert decided(b"a.txt", b"123456", largest=5).reason == "too_large"
    assert decided(b"LICENSE", b"123456", largest=5).reason == "too_large"
    assert decided(b"a.bin", b"123456", largest=5).reason == "extension"
    assert decide(b"a.txt", FILE, None, 5_000_001, Rules()).reason == "too_large"
    assert decide(b"a.txt", FILE, b"x" * 5_000_000, 5_000_000, Rules()).packed


def test_a_link_that_no_system_follows_has_no_target() -> None:
    assert decide(b"a", LINK, b"x" * 4096, 4096, Rules()).target == b"x" * 4096
    assert decide(b"a", LINK, b"x" * 4097, 4097, Rules()) == Decision("symlink")
    assert decide(b"a", LINK, None, 6_000_000, Rules()) == Decision("symlink")


def test_what_cannot_be_decided_is_an_error() -> None:
    for mode in (FILE, LINK):
        with pytest.raises(ValueError, match=r"a\.txt .*are needed"):
            decide(b"a.txt", mode, None, 5, Rules())
    with pytest.raises(ValueError, match=r"a\.txt .mode 40000.: not a file"):
        decide(b"a.txt", 0o040000, b"", 0, Rules())


def test_all_text() -> None:
    assert decided(b"Makefile", b"all:\n", all_text=True).packed
    assert decided(b"a.png", b"\x89PNG\r\n\x1a\n\0\0", all_text=True).reason == "binary"
    assert decided(b"a.tex", b"x", extensions=frozenset({".tex"})).packed
    assert decided(b"a.py", b"x", extensions=frozenset({".tex"})).reason == "extension"


def test_notebooks() -> None:
    data = json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "outputs": [1], "metadata": {}}]}).encode()
    stripped = decided(b"a.ipynb", data)
    assert (stripped.stripped, stripped.exact, stripped.packed, stripped.invalid_notebook) == (True, False, True, False)
    assert json.loads(stripped.text)["cells"][0]["outputs"] == []
    kept = decided(b"a.ipynb", data, strip_notebooks=False)
    assert (kept.text, kept.stripped, kept.exact, kept.invalid_notebook) == (data, False, True, False)
    broken = decided(b"a.ipynb", data[:-1])
    assert (broken.text, broken.stripped, broken.exact, broken.invalid_notebook) == (data[:-1], False, True, True)
    assert decided(b"a.json", data).text == data


def test_languages_and_licence_files() -> None:
    assert decided(b"x/a.RS", b"").language == "Rust"
    assert decided(b"a.cff", b"").language == "YAML"
    assert decided(b"Makefile", b"").language is None
    assert decided(b"COPYING", b"").licence_kind == "licence"
    assert decided(b"a.py", b"").licence_kind is None
    assert decide(b"a.go", LINK, b"x", 1, Rules()).language == "Go"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a.py", ".py"),
        (b"a/b.C.H", ".h"),
        (b"a.py/b", ""),
        (b".bashrc", ""),
        (b"..py", ""),
        (b"a.", "."),
        (b".a.py", ".py"),
    ],
)
def test_extension(path: bytes, expected: str) -> None:
    assert extension(path) == expected


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"src/a b.py", "src/a b.py"),
        ("é/日本.md".encode(), "é/日本.md"),
        (b"caf\xe9", r"caf\xe9"),
        (rb"caf\xe9", r"caf\\xe9"),
        (b"new\nline\ttab", r"new\x0aline\x09tab"),
        ("gnp.\u202etxt".encode(), r"gnp.\xe2\x80\xaetxt"),
        ("e\u0301".encode(), "e\u0301"),
        (b"\xed\xb2\x80", r"\xed\xb2\x80"),
        (b'"quoted"', '"quoted"'),
    ],
)
def test_paths_for_people(path: bytes, line: str) -> None:
    assert shown(path) == line
    assert path_of(line) == path


@given(st.one_of(st.binary(), st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)))
def test_paths_come_back(path: bytes) -> None:
    line = shown(path)
    assert path_of(line) == path
    assert len(line.splitlines()) <= 1
    line.encode()


@pytest.mark.parametrize("line", ["\\", r"\x6", r"\x61", r"\xE9", "\n", r"\xc3\xa9", "\udce9", r"\n"])
def test_other_lines_are_no_paths(line: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        path_of(line)
