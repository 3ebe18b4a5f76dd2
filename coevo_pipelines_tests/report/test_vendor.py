"""The libraries that pages run are the files that their table names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from coevo_pipelines import report

VENDOR = Path(report.__file__).parent / "web" / "vendor"


def test_each_file_is_the_one_in_the_table() -> None:
    named = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M))
    held = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "README.md"
    }
    assert held
    assert named == held
