"""The libraries that pages run, and the coastlines of their maps, are the files that their tables name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from coevo_pipelines import report

HERE = Path(report.__file__).parent


@pytest.mark.parametrize("folder", [HERE / "web" / "vendor", HERE / "coastlines"], ids=lambda folder: folder.name)
def test_each_file_is_the_one_in_the_table(folder: Path) -> None:
    named = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (folder / "README.md").read_text(), re.M))
    held = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "README.md"
    }
    assert held
    assert named == held
