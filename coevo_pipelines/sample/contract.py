"""The contract of the sample's model, which does not exist: composed, signed once, the private key thrown away."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.lake.ledger import write_whole

PUBLIC_KEY = "7865fdfc3873e8800058d74d4e5a7cfc62293411835b0f844a89d2008bf6222e"


def place(root: Path) -> None:
    """Put it among the contracts of the lake at `root`, if it is not there."""
    data = resources.files("coevo_pipelines.sample").joinpath("facts", "contract.json").read_bytes()
    contract = contracts.Contract.model_validate_json(data)
    path = root / contracts.FOLDER / contracts.slug(contract.model.id) / f"{contract.hash}.signed.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
