"""Licence files are known by name; ids are told only where they are certain."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from coevo_pipelines.genome.licences import kind, spdx_id, well_known

MIT = (Path(__file__).parents[2] / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"LICENSE", "licence"),
        (b"a/b/licence.md", "licence"),
        (b"LICENSE-MIT", "licence"),
        (b"LICENSE.APACHE2", "licence"),
        (b"MIT-LICENSE.txt", "licence"),
        (b"COPYING", "licence"),
        (b"COPYING3.LIB", "licence"),
        (b"COPYING.LESSER", "licence"),
        (b"UNLICENSE", "licence"),
        (b"PATENTS", "licence"),
        (b"OFL.txt", "licence"),
        (b"LICENSES/CC-BY-4.0.txt", "licence"),
        (b"x/LICENSES/anything", "licence"),
        (b"logo.png.license", "licence"),
        (b"NOTICE", "notice"),
        (b"ThirdPartyNotices.txt", "notice"),
        (b"THIRD-PARTY-NOTICES", "notice"),
        (b"COPYRIGHT", "notice"),
        (b"AUTHORS.rst", "authors"),
        (b"CONTRIBUTORS", "authors"),
        (b"Acknowledgments", "authors"),
        (b"CITATION.cff", "citation"),
        (b"CITATIONS.bib", "citation"),
        (b"README.md", None),
        (b"licensed.txt", None),
        (b"license.py", None),
        (b"src/license_check.go", None),
        (b"LICENSE/readme", None),
        (b"author-photo.jpg.py", None),
        (b"noticeable", None),
        (b"a LICENSED thing", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_kinds_by_name(path: bytes, expected: str | None) -> None:
    assert kind(path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"# SPDX-License-Identifier: MIT\n", "MIT"),
        (b"#!/bin/sh\n# SPDX-License-Identifier: mit\r\n", "MIT"),
        (
            b"/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */\n",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        (b"<!-- SPDX-License-Identifier: CC-BY-4.0 -->", "CC-BY-4.0"),
        (b"// SPDX-License-Identifier: (MIT OR Apache-2.0)\n", "(MIT OR Apache-2.0)"),
        (b"; SPDX-License-Identifier: LicenseRef-Ours\n", "LicenseRef-Ours"),
        (b"# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: MIT\n", "MIT"),
        (b"# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC\n", None),
        (b"# SPDX-License-Identifier: GPLv2\n", None),
        (b"# SPDX-License-Identifier: \n", None),
        (b'tag = "SPDX-License-Identifier: MIT"\n', None),
        (b"write SPDX-License-Identifier: MIT there\n", None),
        (b"x\n" * 4096 + b"# SPDX-License-Identifier: MIT\n", None),
        (b"", None),
        (b"\xff\xfe# nothing", None),
    ],
)
def test_the_line_that_says_it(text: bytes, expected: str | None) -> None:
    assert spdx_id(b"a.py", text) == expected


def test_the_name_that_says_it() -> None:
    assert spdx_id(b"LICENSES/GPL-3.0-or-later.txt", b"...") == "GPL-3.0-or-later"
    assert spdx_id(b"LICENSES/LicenseRef-Ours.txt", b"...") == "LicenseRef-Ours"
    assert spdx_id(b"LICENSES/house rules.txt", b"...") is None
    assert spdx_id(b"GPL-3.0-or-later.txt", b"...") is None


def test_a_well_known_text_word_for_word() -> None:
    assert spdx_id(b"LICENSE", MIT) == "MIT"
    body = MIT[MIT.index(b"Permission") :]
    assert well_known(body) == "MIT"
    assert well_known(b" ".join(body.split())) == "MIT"
    assert (
        well_known(
            b"The MIT License (MIT)\r\n\r\nCopyright \xc2\xa9 2020-2024, A & B\r\n" + body.replace(b"\n", b"\r\n")
        )
        == "MIT"
    )
    assert spdx_id(b"main.py", MIT) is None  # no licence file


@pytest.mark.parametrize(
    "text",
    [
        MIT.replace(b"without restriction", b"with restriction"),
        MIT.replace(b"free of charge", b"free of charge for non-commercial use"),
        MIT + b"\nThe Software shall be used for Good, not Evil.\n",
        b"Everything but vendor/ is under the\n\n" + MIT,
        MIT[: len(MIT) // 2],
        b"MIT License\n",
        MIT + b" " * 65536,  # longer than any of the known texts is not looked at
        b"",
        b"MIT",
    ],
    ids=range(9),
)
def test_nearly_is_not_certain(text: bytes) -> None:
    assert spdx_id(b"LICENSE", text) is None


def test_the_gpl_does_not_say_which_versions() -> None:
    text = Path("/usr/share/common-licenses/GPL-3")
    if not text.is_file():
        pytest.skip("no Debian licence texts here")
    assert spdx_id(b"COPYING", text.read_bytes()) is None


def test_installed_packages_agree() -> None:
    """Where a package has one licence file and declares one id, ours is that id or none."""
    told = set()
    for distribution in importlib.metadata.distributions():
        declared = distribution.metadata["License-Expression"]
        texts = [file for file in distribution.files or () if kind(str(file.name).encode()) == "licence"]
        if not declared or " " in declared or len(texts) != 1:
            continue
        found = spdx_id(b"LICENSE", Path(str(texts[0].locate())).read_bytes())
        assert found in (declared, None), (distribution.name, declared, found)
        told.add(found)
    assert {"MIT", "BSD-3-Clause", "Apache-2.0"} <= told
