"""A run from the command line: the same job, in this process, recorded where the UI finds it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
from filelock import FileLock

from coevo_pipelines.orchestration.jobs import DAILY_SNAPSHOT
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

_INTERRUPTS = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}
_INSTANCE_CONFIG = "telemetry:\n  enabled: false\nnux:\n  enabled: false  # no dialog that asks for an e-mail address\n"


@dataclass(frozen=True)
class Failure:
    """A step that failed, in one line."""

    step: str
    error: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `seconds` is by step, in order; `warnings` are checks that did not pass."""

    run_id: str
    success: bool
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    total_seconds: float


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's run history; made, with telemetry and advertising off, when it is not there yet."""
    home = settings.dagster_home_path
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_INSTANCE_CONFIG)
    return home


@contextmanager
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance on `dagster_home`."""
    from dagster._core.instance.ref import InstanceRef

    home = dagster_home(settings)
    with FileLock(home / ".opening.lock"):  # two first runs at once would both create the tables
        opened = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home)))
        opened.get_run_records(limit=1)
    with opened:
        yield opened


def run_days(settings: Settings, first: date, last: date, expect: Callable[[int], None] = lambda _: None) -> Outcome:
    """Materialize the days from `first` to `last` as one run of the daily job. `expect(parts)` is told how many parts
    (a step and a day) log lines will name, if nothing else is out of date.

    Ctrl-C raises KeyboardInterrupt after Dagster has marked the run; what was committed stays.
    """
    from coevo_pipelines.definitions import build_definitions

    started = time.perf_counter()
    _quiet_dagster()
    open_lake(settings).repair()
    job = build_definitions(settings).resolve_job_def(DAILY_SNAPSHOT)
    expect(len(job.all_node_defs) * ((last - first).days + 1))
    with instance(settings) as opened:
        result = job.execute_in_process(
            instance=opened,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
        )
        return _outcome(result, time.perf_counter() - started)


def _outcome(result: dg.ExecuteInProcessResult, total_seconds: float) -> Outcome:
    seconds, failures, warnings = {}, [], []
    for event in result.all_events:
        step = (event.step_key or "").replace("__", "/")
        if event.is_step_success:
            seconds[step] = event.step_success_data.duration_ms / 1000
        elif event.is_step_failure:
            error = event.step_failure_data.error
            failures.append(Failure(step, _root_message(error)))
            if error is not None and error.cls_name in _INTERRUPTS:
                raise KeyboardInterrupt
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                asset = check.asset_key.to_user_string()
                line = f"{asset}: {check.check_name}: {check.description}"
                if check.severity == dg.AssetCheckSeverity.ERROR:
                    failures.append(Failure(asset, f"{check.check_name}: {check.description}"))
                else:
                    warnings.append(line)
    return Outcome(
        result.run_id, result.success and not failures, tuple(failures), tuple(warnings), seconds, total_seconds
    )


def _root_message(error: object) -> str:
    while getattr(error, "cause", None) is not None:
        error = error.cause  # type: ignore[attr-defined]
    message = str(getattr(error, "message", error)).strip()
    return message.splitlines()[0] if message else "unknown error"


def _quiet_dagster() -> None:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
