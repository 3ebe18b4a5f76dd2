"""What assets are given: the settings, the lake, and where each source is to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coevo_pipelines.genome.ecosystem import Listed
    from coevo_pipelines.scrapes.session import Endpoint


def open_lake(settings: Settings, run_id: str = "") -> Lake:
    """The lake of these settings. LakeError when it is of another world or opened on another day."""
    lake = Lake(settings.lake_root, grace=settings.grace, run_id=run_id)
    lake.claim(
        world=settings.source,
        start_date=settings.opening.isoformat(),
        history_from=settings.history.isoformat(),
    )
    return lake


@contextmanager
def endpoint(name: str, day: date, settings: Settings) -> Iterator[Endpoint]:
    """Where source `name` is asked for `day`: the public service, or the bundled sample on 127.0.0.1."""
    from coevo_pipelines.scrapes.session import Endpoint

    if settings.source == "live":
        base_url = settings.sources[name].base_url.rstrip("/")
        yield Endpoint(base_url, base_url, lambda: datetime.now(UTC))
        return
    from coevo_pipelines.sample.server import answer_time, serve

    with serve(day) as root:
        # The sample's clock stands still, so that the same day always gives the same bytes.
        yield Endpoint(f"{root}/{name}", f"sample://{name}", lambda: answer_time(day))


@contextmanager
def remotes(settings: Settings, day: date) -> Iterator[tuple[Sequence[Listed], Callable[[], datetime]]]:
    """The repositories that the settings name, or the sample's made on the spot; and the clock that goes on record."""
    from coevo_pipelines.genome.ecosystem import Listed, source_of

    named = settings.genome.repositories
    own = [Listed(source_of(text), "settings") for text in named or ()]
    if settings.source == "live":
        yield own, lambda: datetime.now(UTC)
        return
    from coevo_pipelines.sample import remotes as sample
    from coevo_pipelines.sample.server import answer_time

    if named is not None:
        yield own, lambda: answer_time(day)
        return
    with sample.remotes() as made:
        yield made, lambda: answer_time(day)


def trusted_keys(settings: Settings, root: Path) -> tuple[str, ...]:
    """Public keys whose contracts count. The sample's model has its contract put into the lake at `root`, if it is not
    there yet."""
    if settings.source == "live":
        return settings.corpora.trusted_keys
    from coevo_pipelines.sample import contract

    contract.place(root)
    return (*settings.corpora.trusted_keys, contract.PUBLIC_KEY)
