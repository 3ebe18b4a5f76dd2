"""What the command shows where it is a terminal, and keeps to itself where it is not."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coevo_pipelines.settings import Settings
from coevo_pipelines.terminal import _rate
from coevo_pipelines_tests.runs import coevo, command, environment

COMPLETE = {
    "complete_bash": {"COMP_WORDS": "coevo rewards ex", "COMP_CWORD": "2"},
    "complete_zsh": {"_TYPER_COMPLETE_ARGS": "coevo rewards ex"},
    "complete_fish": {"_TYPER_COMPLETE_ARGS": "coevo rewards ex", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


def in_a_terminal(*arguments: str) -> tuple[int, str]:
    """Exit code and all that the real command wrote to a terminal of 120 columns, without control sequences."""
    ours, theirs = pty.openpty()
    more = {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs,
                          env=environment(**more)) as running:  # fmt: skip
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            parts.append(part)
        os.close(ours)
    return running.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode())


def test_a_terminal_sees_how_far_how_fast_and_how_long(sample: Settings) -> None:
    code, said = in_a_terminal("verify", "--lake", str(sample.lake_root))
    assert code == 0
    bars = [line for line in re.split(r"[\r\n]", said) if line.startswith("verifying")]
    done = [re.search(r"(\d+)/(\d+)", line) for line in bars]
    assert any(found and found[1] == found[2] for found in done)
    assert any(re.search(r"\d/s|s each", line) for line in bars)
    assert any(re.search(r"\d+ MB", line) for line in bars)
    assert "all agree" in said.splitlines()[-5]


def test_a_run_counts_its_parts_up_to_all_of_them(tmp_path: Path) -> None:
    code, said = in_a_terminal("run", "--date", "2019-03-25", "--lake", str(tmp_path / "lake"))
    assert code == 0
    counted = [(int(done), int(of)) for done, of in re.findall(r"\d:\d\d:\d\d [━╸╺ ]*?(\d+)/(\d+) ", said)]
    assert counted[0][0] == 0
    assert counted[-1][0] == counted[-1][1] > 10
    assert {of for _, of in counted} == {counted[-1][1]}, "how many parts there are is known from the start"
    assert [done for done, _ in counted] == sorted(done for done, _ in counted)


@pytest.mark.parametrize("name", ["verify", "catalog", "status"])
def test_where_there_is_no_terminal_there_is_no_bar(sample: Settings, tmp_path: Path, name: str) -> None:
    import shutil

    lake = shutil.copytree(sample.lake_root, tmp_path / "lake") if name == "catalog" else sample.lake_root
    plain = coevo(name, "--lake", str(lake))
    assert (plain.returncode, plain.stderr) == (0, "")
    assert "━" not in plain.stdout
    scripted = coevo(name, "--lake", str(lake), "--json")
    assert (scripted.returncode, scripted.stderr) == (0, "")
    assert json.loads(scripted.stdout)


@pytest.mark.parametrize(
    ("speed", "said"), [(None, ""), (0.0, ""), (1234.56, "1,234.6/s"), (1.0, "1.0/s"), (0.25, "4.0 s each")]
)
def test_rates(speed: float | None, said: str) -> None:
    assert _rate(speed) == said


@pytest.mark.parametrize("shell", COMPLETE)
def test_shells_complete_commands(shell: str) -> None:
    found = subprocess.run([Path(sys.executable).with_name("coevo")], capture_output=True, text=True, check=False,
                           env=environment(_COEVO_COMPLETE=shell, **COMPLETE[shell]))  # fmt: skip
    assert "explain" in found.stdout and "export" in found.stdout, found.stderr
    assert "allocate" not in found.stdout


def test_errors_of_several_lines_become_one(sample: Settings) -> None:
    found = coevo("query", "FROM traces.work", "--lake", str(sample.lake_root))
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
    assert "Did you mean" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        (("rewards", "explain", "qqqqq"), "FROM influence.people"),
        (("influence", "explain", "qqqqq"), "works go by their identifiers, such as "),
        (("swarm", "explain", "qqqqq"), "FROM swarm.decision_markers"),
        (("chrysalis", "show", "qqqqq"), "coevo chrysalis list"),
        (("review", "show", "qqqqq"), "coevo review list"),
        (("corpora", "show", "qqqqq"), "there are qwen3-0.6b-base, sample"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_who_asks_for_what_is_not_there_is_told_what_is(
    sample: Settings, arguments: tuple[str, ...], way_out: str
) -> None:
    found = coevo(*arguments, "--lake", str(sample.lake_root))
    assert found.returncode == 2
    assert way_out in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_help_says_the_exit_codes() -> None:
    said = coevo("--help").stdout
    assert "Exit codes: 0 all is well; 1 " in said
    assert "--install-completion" in said
