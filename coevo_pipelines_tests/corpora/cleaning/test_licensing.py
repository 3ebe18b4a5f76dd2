"""Which licences are allowed, and who says which one holds."""

from __future__ import annotations

from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.corpora.cleaning.licensing import (
    PERMISSIVE,
    LicenceError,
    effective,
    evaluate,
    evaluate_all,
    of_header,
    of_source,
)


@pytest.mark.parametrize(
    ("expression", "truth"),
    [
        ("MIT", True),
        ("mit", True),
        (" Apache-2.0 ", True),
        ("GPL-3.0-only", False),
        ("GPL-2.0", False),
        ("GPL-2.0+", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("mit or gpl-3.0", True),
        ("MIT/GPL-2.0", True),
        ("Apache-2.0+", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT WITH LLVM-exception", False),
        ("GPL-2.0 WITH Classpath-exception-2.0", False),
        ("CC-BY-4.0", True),
        ("CC-BY-NC-4.0", False),
        ("NONE", False),
        (None, None),
        ("", None),
        ("NOASSERTION", None),
        ("LicenseRef-ours", None),
        ("LicenseRef-MIT-Discord", None),
        ("DocumentRef-x:LicenseRef-MIT", None),
        ("NoSuchLicence-1.0", None),
        ("MIT WITH no-such-exception", None),
        ("GPL-3.0-only WITH no-such-exception", False),
        ("MIT OR LicenseRef-x", True),
        ("GPL-3.0-only OR LicenseRef-x", None),
        ("MIT AND LicenseRef-x", None),
        ("GPL-3.0-only AND LicenseRef-x", False),
        ("MIT AND", None),
        ("(MIT", None),
        ("MIT, ISC", None),
        ("see LICENSE file\nfor details", None),
        ("(" * 3000 + "MIT" + ")" * 3000, True),
    ],
)
def test_three_values(expression: str | None, truth: bool | None) -> None:
    left_out, kept = evaluate(expression), evaluate(expression, unknown="keep")
    assert (left_out.allowed, kept.allowed) == ((truth, truth) if truth is not None else (False, True))
    assert left_out.why == kept.why
    assert left_out.why.startswith({True: "allowed: ", False: "refused: ", None: "unknown: "}[truth])


@pytest.mark.parametrize(
    ("expression", "allowed", "verdict"),
    [
        ("GPL-2.0 WITH Classpath-exception-2.0", {"GPL-2.0-only WITH Classpath-exception-2.0"}, True),
        ("GPL-2.0 WITH Classpath-exception-2.0", {"gpl-2.0", "classpath-exception-2.0"}, True),
        ("GPL-2.0 WITH Classpath-exception-2.0", {"GPL-2.0-only"}, False),
        ("GPL-2.0-only", {"GPL-2.0-only WITH Classpath-exception-2.0"}, False),
        ("GPL-2.0-or-later", {"GPL-2.0+"}, True),
        ("GPL-2.0-or-later", {"GPL-2.0-only"}, False),
        ("LicenseRef-ours", {"LicenseRef-ours"}, True),
        ("MIT", set(), False),
    ],
)
def test_own_lists(expression: str, allowed: set[str], verdict: bool) -> None:
    assert evaluate(expression, allowed).allowed is verdict


def test_the_reason_names_what_decided() -> None:
    assert evaluate("MIT AND GPL-3.0 AND AGPL-3.0").why == "refused: GPL-3.0-only, AGPL-3.0-only"
    assert evaluate("gpl-3.0 OR mit").why == "allowed: MIT"


@pytest.mark.parametrize("entry", ["NoSuchLicence-1.0", "MIT OR ISC", "", "(MIT"])
def test_a_list_with_an_unknown_id_is_an_error(entry: str) -> None:
    with pytest.raises(LicenceError, match=r"licences: .* is no SPDX id"):
        evaluate("MIT", {"MIT", entry})


def test_the_default_list_holds_permissive_ids_only() -> None:
    from license_expression import get_license_index
    from packaging.licenses import canonicalize_license_expression

    category = {entry["spdx_license_key"]: entry["category"] for entry in get_license_index() if "category" in entry}
    for name in PERMISSIVE - {"LicenseRef-CC-BY"}:
        base = name.partition(" WITH ")[0]
        assert category[base] in {"Permissive", "Public Domain"}, name
        assert canonicalize_license_expression(name) == name
        assert evaluate(name).allowed


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("mit", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache License 2.0", "Apache-2.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc0-1.0", "CC0-1.0"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("odc-by", "ODC-By-1.0"),
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode", "CC-BY-NC-SA-4.0"),
        ("https://creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/publicdomain/", "CC-PDDC"),
        ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "LicenseRef-arXiv-nonexclusive-distrib-1.0"),
        ("https://spdx.org/licenses/MIT", "MIT"),
        ("https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("cc-by", "LicenseRef-CC-BY"),
        ("cc-by-nc-nd", "LicenseRef-CC-BY-NC-ND"),
        ("llama3.1", "LicenseRef-llama3.1"),
        ("openrail++", "LicenseRef-openrail"),
        ("other", None),
        ("other-oa", None),
        ("NOASSERTION", None),
        ("", None),
        (None, None),
    ],
)
def test_names_of_sources(name: str | None, expression: str | None) -> None:
    assert of_source(name) == expression


@pytest.mark.parametrize("name", ["cc-by-nc-nd", "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"])
def test_known_terms_without_an_spdx_id_are_refused_even_where_unknown_is_kept(name: str) -> None:
    assert not evaluate(of_source(name), unknown="keep").allowed


def test_versions_of_cc_by_all_ask_for_attribution_only() -> None:
    assert evaluate(of_source("cc-by")).allowed


@pytest.mark.parametrize(
    ("file", "repository", "source", "expected"),
    [
        ("GPL-3.0-only", "MIT", "apache-2.0", ("GPL-3.0-only", "file")),
        (None, "MIT", "apache-2.0", ("MIT", "repository")),
        ("NOASSERTION", "MIT", None, ("MIT", "repository")),
        (None, "", "apache-2.0", ("Apache-2.0", "source")),
        (None, None, "other", (None, None)),
        (None, None, None, (None, None)),
        ("NONE", "MIT", "mit", ("NONE", "file")),
    ],
)
def test_the_nearest_statement_holds(
    file: str | None, repository: str | None, source: str | None, expected: tuple[str | None, str | None]
) -> None:
    assert effective(file, repository, source) == expected


@given(st.lists(st.sampled_from(["MIT", None, "GPL-3.0-only", "LicenseRef-x", "((", "MIT OR GPL-2.0"])))
def test_a_series_is_judged_row_by_row(values: list[str | None]) -> None:
    policy: Literal["keep"] = "keep"
    found = evaluate_all(pl.Series("license", values, dtype=pl.String), unknown=policy)
    one_by_one = [evaluate(value, unknown=policy) for value in values]
    assert found["allowed"].to_list() == [verdict.allowed for verdict in one_by_one]
    assert found["why"].to_list() == [verdict.why for verdict in one_by_one]


@pytest.mark.parametrize(
    ("head", "said", "allowed"),
    [
        ("x = 1\n", None, False),
        ("# SPDX-License-Identifier: Proprietary\n", "Proprietary", False),
        ("# SPDX-License-Identifier: NONE\n", "NONE", False),
        ("# spdx-license-identifier: GPL-3.0-only\n", "GPL-3.0-only", False),
        ('"""SPDX-License-Identifier: AGPL-3.0-only"""\n', "AGPL-3.0-only", False),
        ("REM SPDX-License-Identifier: MIT\r\n", "MIT", True),
        ("/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */", "(MIT OR GPL-2.0-only)", True),
        (
            "# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: GPL-3.0-only\n",
            "(GPL-3.0-only) AND (MIT)",
            False,
        ),
        ("# SPDX-License-Identifier: GPL-3.0-only AND\n", "GPL-3.0-only AND", False),
        (
            "# This program is free software: you can redistribute it and/or modify\n"
            "# it under the terms of the GNU General Public License as published by\n"
            "# the Free Software Foundation, either version 3 of the License, or\n"
            "# (at your option) any later version.\n",
            "GPL-3.0-or-later",
            False,
        ),
        (
            " * modify it under the terms of the GNU Lesser General\n"
            " * Public License as published by the Free Software Foundation; version 2.1 of the License.\n",
            "LGPL-2.1-only",
            False,
        ),
        (
            "/* This Source Code Form is subject to the terms of the Mozilla Public\n"
            " * License, v. 2.0. If a copy of the MPL was not distributed with this\n */",
            "MPL-2.0",
            False,
        ),
        ("Unlike software under the GNU General Public License, this is free of it.", None, False),
        ('LINE = "SPDX-License-Identifier: GPL-3.0-only"\n', None, False),
    ],
)
def test_what_a_file_says_of_itself(head: str, said: str | None, allowed: bool) -> None:
    assert of_header(head) == said
    assert evaluate(said).allowed is allowed
