"""What tests share: a clean environment, small lakes, and the sample run once for all who only read it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.runs import DAYS


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No COEVO_* variable, token or DAGSTER_HOME of the caller may reach a test, and no request that a test makes is
    counted among the caller's."""
    tokens = ("GITHUB_TOKEN", "HF_TOKEN", "OPENALEX_API_KEY", "SEMANTIC_SCHOLAR_API_KEY")
    names = (*tokens, "DAGSTER_HOME", "XDG_STATE_HOME")
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COEVO_") or name in names}
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    del os.environ["XDG_STATE_HOME"]
    os.environ.update(kept)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Settings:
    """Settings of a lake that holds the three days of the sample, made as one range. Read only: all processes of a
    test run share it."""
    from coevo_pipelines.orchestration.run import run_days

    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "sample"
    settings = load_settings(lake=folder / "lake")
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            outcome = run_days(settings, DAYS[0], DAYS[-1])
            if not outcome.success:
                shutil.rmtree(folder)
            assert outcome.success, outcome.failures
    return settings
