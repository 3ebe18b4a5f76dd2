"""The lake's contracts as a table, and for each blueprint the one in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from coevo_pipelines.corpora.blueprints import Blueprint
from coevo_pipelines.corpora.consent import contracts


def consents(
    root: Path, blueprints: Sequence[Blueprint], trusted: Sequence[str], model_files: Mapping[str, Path]
) -> dict[str, contracts.InForce | contracts.Refused]:
    """By the blueprint's name; `root`: the lake; `model_files`: model id to folder, where its files are to be
    compared."""
    return {
        each.name: contracts.in_force(
            root / contracts.FOLDER, each.model.id, each.model.revision, trusted, model_files.get(each.model.id)
        )
        for each in blueprints
    }


def rows(root: Path, trusted: Sequence[str], model_files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Rows of `corpora.contracts`."""
    folder = root / contracts.FOLDER
    states: dict[tuple[str, str], contracts.InForce | contracts.Refused] = {}
    found = []
    for each in contracts.all_of(folder):
        row: dict[str, Any] = {"file": each.path.relative_to(root).as_posix(), "is_in_force": False}
        if isinstance(each, contracts.Damaged):
            found.append(row | {"status": "damaged", "why": each.reason})
            continue
        contract = each.contract
        whom = contract.model.id, contract.model.revision
        if whom not in states:
            states[whom] = contracts.in_force(folder, *whom, trusted, model_files.get(whom[0]))
        state = states[whom]
        is_it = isinstance(state, contracts.InForce) and state.path == each.path
        found.append(
            row
            | {
                "model_id": whom[0],
                "model_revision": whom[1],
                "contract_hash": contract.hash,
                "status": contract.status,
                "created_at": datetime.fromisoformat(contract.created_at),
                "human": contract.participants.human.name,
                "public_key": None if contract.signature is None else contract.signature.public_key,
                "is_in_force": is_it,
                "why": None if is_it else state.reason if isinstance(state, contracts.Refused) else "an earlier record",
            }
        )
    return sorted(found, key=lambda row: row["file"])
