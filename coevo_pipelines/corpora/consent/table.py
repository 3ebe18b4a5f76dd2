"""The lake's contracts as a table, and for each blueprint the one in force."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from coevo_pipelines.corpora.blueprints import Blueprint
from coevo_pipelines.corpora.consent import contracts

State = contracts.InForce | contracts.Refused


def states(root: Path, trusted: Sequence[str], model_files: Mapping[str, Path]) -> Callable[[str, str], State]:
    """Of a model's id and revision the contract in force in the lake at `root`, or why there is none; each is looked at
    once. `model_files`: model id to folder, where its files are to be compared."""

    @functools.cache
    def state(model_id: str, revision: str) -> State:
        return contracts.in_force(root / contracts.FOLDER, model_id, revision, trusted, model_files.get(model_id))

    return state


def consents(
    root: Path, blueprints: Sequence[Blueprint], trusted: Sequence[str], model_files: Mapping[str, Path]
) -> dict[str, State]:
    """`states` by the blueprint's name."""
    state = states(root, trusted, model_files)
    return {each.name: state(each.model.id, each.model.revision) for each in blueprints}


def rows(root: Path, trusted: Sequence[str], model_files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Rows of `corpora.contracts`."""
    state_of = states(root, trusted, model_files)
    found = []
    for each in contracts.all_of(root / contracts.FOLDER):
        row: dict[str, Any] = {"file": each.path.relative_to(root).as_posix(), "is_in_force": False}
        if isinstance(each, contracts.Damaged):
            found.append(row | {"status": "damaged", "why": each.reason})
            continue
        contract = each.contract
        whom = contract.model.id, contract.model.revision
        state = state_of(*whom)
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
