"""What the tests of pages share: one browser for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coevo_pipelines_tests.report.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Closed before the next file's tests: until then its event loop runs in this thread."""
    with chromium() as opened:
        yield opened
