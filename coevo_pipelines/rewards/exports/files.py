"""Writing an export: all of it or an error, never half a file, never over an earlier one unasked."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from coevo_pipelines.lake.ledger import sync_folder, write_durably
from coevo_pipelines.rewards.exports.payout import Export, ExportError

_PART = re.compile(r"-\d+-of-\d+(?=\.)")


def write(export: Export, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the files into `folder` and return their paths.

    Every file is written under another name and flushed to disk before the first is moved into place. Raises
    ExportError when one exists already (unless `overwrite`), when parts of an earlier export in more or fewer files
    lie there (they would be paid again), and when the disk refuses.
    """
    temporary = {folder / name: folder / f".{name}.{uuid.uuid4().hex[:8]}" for name in export.files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check(export, folder, overwrite)
        try:
            for draft, data in zip(temporary.values(), export.files.values(), strict=True):
                write_durably(draft, data)
            for path, draft in temporary.items():
                draft.replace(path)
        finally:
            for draft in temporary.values():
                draft.unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise ExportError(f"{folder}: the export cannot be written: {error}") from error
    return list(temporary)


def _check(export: Export, folder: Path, overwrite: bool) -> None:
    families = {_PART.sub("", name) for name in export.files}
    found = sorted(path.name for path in folder.iterdir() if _PART.sub("", path.name) in families)
    others = [name for name in found if name not in export.files]
    if others:
        raise ExportError(
            f"{folder}: {', '.join(others)} is from another export and would be paid as well: move it away first"
        )
    if found and not overwrite:
        raise ExportError(f"{folder}: {', '.join(found)} exists already; choose another folder or ask to overwrite")
