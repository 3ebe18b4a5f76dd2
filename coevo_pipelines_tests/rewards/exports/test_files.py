"""Writing: all or an error, nothing over an earlier export unasked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coevo_pipelines.rewards.exports.files import write
from coevo_pipelines.rewards.exports.formats import export
from coevo_pipelines.rewards.exports.payout import Export, ExportError
from coevo_pipelines_tests.rewards.exports.rounds import account, paid, payee


def made(people: int, cents: int = 1) -> Export:
    return export("safe", paid(*(payee(f"p{n:04}", cents, ethereum=account(n + 1)) for n in range(people))))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_the_export(tmp_path: Path) -> None:
    done = made(3)
    paths = write(done, tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in paths} == done.files
    assert names(tmp_path / "new" / "folder") == ["safe.csv", "safe.people.csv"]


def test_an_earlier_export_is_not_overwritten_unasked(tmp_path: Path) -> None:
    write(made(3), tmp_path)
    before = (tmp_path / "safe.csv").read_bytes()
    with pytest.raises(ExportError, match=r"safe.csv, safe.people.csv exists already"):
        write(made(3, cents=9), tmp_path)
    assert (tmp_path / "safe.csv").read_bytes() == before
    write(made(3, cents=9), tmp_path, overwrite=True)
    assert (tmp_path / "safe.csv").read_bytes() == made(3, cents=9).files["safe.csv"]


@pytest.mark.parametrize(("first", "second"), [(900, 500), (500, 3), (3, 500)])
def test_parts_of_another_export_are_not_paid_again(tmp_path: Path, first: int, second: int) -> None:
    write(made(first), tmp_path)
    before = names(tmp_path)
    with pytest.raises(ExportError, match="would be paid as well"):
        write(made(second), tmp_path, overwrite=True)
    assert names(tmp_path) == before


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="cannot be written"):
        write(made(3), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are a matter of Unix")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    import resource
    import signal

    done = Export({"safe.csv": b"x" * 100, "merkle.json": b"x" * 100_000}, [], 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ExportError, match="cannot be written"):
            write(done, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert names(tmp_path) == []


def test_two_formats_share_a_folder(tmp_path: Path) -> None:
    round_ = paid(payee("a", 5, ethereum=account(1)))
    write(export("safe", round_), tmp_path)
    write(export("merkle", round_), tmp_path)
    assert names(tmp_path) == ["merkle.json", "merkle.people.csv", "safe.csv", "safe.people.csv"]
