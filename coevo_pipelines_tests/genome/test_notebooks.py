"""Notebooks keep what a person wrote and lose what a run left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coevo_pipelines.genome.notebooks import strip


def notebook(**changes: Any) -> dict[str, Any]:
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}, "widgets": {"state": 1}, "signature": "s"},
        "cells": [
            {
                "cell_type": "code",
                "id": "c1",
                "source": ["print('é')\n"],
                "execution_count": 7,
                "outputs": [{"output_type": "stream", "text": ["secret-output"]}],
                "metadata": {
                    "tags": ["t"],
                    "collapsed": True,
                    "execution": {"iopub.status.busy": "2026"},
                    "jupyter": {"outputs_hidden": True},
                },
            },
            {"cell_type": "markdown", "source": "# Title", "metadata": {"jupyter": {"outputs_hidden": 1, "x": 2}}},
        ],
    } | changes


def test_outputs_and_counts_go_and_the_rest_stays() -> None:
    text = strip(json.dumps(notebook()).encode())
    assert text is not None
    assert json.loads(text) == {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": "c1",
                "source": ["print('é')\n"],
                "execution_count": None,
                "outputs": [],
                "metadata": {"tags": ["t"]},
            },
            {"cell_type": "markdown", "source": "# Title", "metadata": {"jupyter": {"x": 2}}},
        ],
    }


def test_the_form_is_canonical() -> None:
    one = strip(json.dumps(notebook(), indent=4).encode())
    other = strip(json.dumps(dict(reversed(notebook().items())), ensure_ascii=False).encode())
    assert one is not None
    assert one == other == strip(one)
    assert one.startswith(b'{\n "cells": [\n  {\n   "cell_type": "code",') and one.endswith(b"}\n")
    assert "é".encode() in one


def test_format_3() -> None:
    cell = {"cell_type": "code", "input": ["x"], "prompt_number": 3, "collapsed": False, "outputs": [{"text": "o"}]}
    old = {"nbformat": 3, "metadata": {"signature": "s"}, "worksheets": [{"cells": [cell]}]}
    text = strip(json.dumps(old).encode())
    assert text is not None
    assert json.loads(text) == {
        "nbformat": 3,
        "metadata": {},
        "worksheets": [{"cells": [{"cell_type": "code", "input": ["x"], "prompt_number": None, "outputs": []}]}],
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"3",
        b'{"nbformat": 4}',
        b'{"nbformat": 4, "cells": 3}',
        b'{"nbformat": 4, "cells": [3]}',
        b'{"nbformat": "4", "cells": []}',
        b'{"nbformat": 4, "cells": [{"metadata": null}]}',
        b'{"nbformat": 4, "cells": [], "x": 1, "x": 2}',
        b'{"nbformat": 4, "cells": [], "x": NaN}',
        b'{"nbformat": 4, "cells": [], "x": 1e999}',
        b'{"nbformat": 4, "cells": [], "x": "\\ud800"}',
        b'\xef\xbb\xbf{"nbformat": 4, "cells": []}',
        b'{"nbformat": 4, "cells": [], "x": "\xff"}',
        b'{"nbformat": 4, "cells": [], "x": ' + b"9" * 5000 + b"}",
        b'{"nbformat": 4, "cells": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"nbformat": 4, "cells": []',
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_notebook_is_not_touched(text: bytes) -> None:
    assert strip(text) is None


def test_the_least_notebook_is_one() -> None:
    assert strip(b'{"nbformat": 4, "cells": []}') == b'{\n "cells": [],\n "nbformat": 4\n}\n'
