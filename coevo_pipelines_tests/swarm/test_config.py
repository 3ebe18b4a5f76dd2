"""The simulation's parameters, as settings give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from coevo_pipelines.settings import load_settings


def test_of_the_swarms_tables_only_what_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "coevo.toml").write_text(
        "[swarm.parameters.young]\nincome = 1\n[swarm.parameters.distribution]\ncritical = 'organic'\n"
    )
    monkeypatch.chdir(tmp_path)
    found = load_settings().swarm.parameters
    assert (found.young.income, found.young.consider) == (1, 0.9)
    assert dict(found.distribution) == {"critical": "organic", "standard": "lovechild", "experimental": "organic"}
