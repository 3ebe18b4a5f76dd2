"""How much may be asked: one request at a time with a pause between two, and what a service gives in a day or hour.

All processes of one user on one machine keep these limits together, whichever lake they write:

- The pause between two requests is a file in the folder for temporary files. It holds seconds of the machine's own
  clock since it started, which nobody can set.
- What was spent of a quota is a file in the user's state folder (`$XDG_STATE_HOME`, else `~/.local/state`), because
  the day of a service outlives a restart, and because two lakes have one account. Whoever deletes it loses the
  count only: the service then says itself that nothing is left.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

DAY_S = 86_400
_TOLD_AFTER_S = 30.0
_LONGEST_SHUT_S = 7 * DAY_S
_EPOCH_FROM = 10**9
"""`x-ratelimit-reset` is a time (GitHub) or the seconds until it (OpenAlex); no service counts for 30 years."""
_IETF = re.compile(r'"?[\w-]*"?\s*;\s*r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)')
"""`RateLimit: "api";r=0;t=55` (Hugging Face), draft-ietf-httpapi-ratelimit-headers-09."""


class LimitsError(Exception):
    """The limits cannot be kept, so nothing may be asked; the message names the folder and the way out."""


@dataclass(frozen=True)
class Allowed:
    """A quota in force: the number, and the words for the day's note when it is spent."""

    name: str
    seconds: int
    most: int
    path: str
    spent_text: str


class Closed(NamedTuple):
    """Nothing may be asked until then (seconds since 1970), and why."""

    until: float
    why: str

    @property
    def message(self) -> str:
        minute = datetime.fromtimestamp(math.ceil(self.until / 60) * 60, UTC)
        return f"{self.why}; goes on after {minute:%Y-%m-%d %H:%M} UTC"


class Told(NamedTuple):
    """What an answer says of the service's limit: how much is left, and the seconds until there is more."""

    remaining: int
    reset_in_s: float


def told(headers: Mapping[str, str], now: float) -> Told | None:
    """The limit in the headers of an answer (names in any case), None when it names none."""
    given = {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}
    if match := _IETF.search(given.get("ratelimit", "")):
        return Told(int(match[1]), float(match[2]))
    for prefix in ("x-ratelimit-", "ratelimit-"):
        remaining, reset = _number(given.get(f"{prefix}remaining")), _number(given.get(f"{prefix}reset"))
        if remaining is not None and reset is not None:
            return Told(int(remaining), max(0.0, reset - now if reset >= _EPOCH_FROM else reset))
    return None


class RateLimiter:
    """One request at a time and at most one per `interval_s`, over all processes that share `name`."""

    def __init__(self, name: str, interval_s: float) -> None:
        self._name = name
        self._interval_s = interval_s
        self._file = Path(tempfile.gettempdir()) / f"coevo-rate-{_user()}" / name

    @contextmanager
    def turn(self) -> Iterator[Callable[[], None]]:
        """Sleep until it is this process's turn, which lasts until the request is answered.

        The lock is held meanwhile: that makes the queue, and one connection, as arXiv asks for. A process that is
        killed loses it. What is given is to be called when the request is on its way: connecting takes its time
        (measured on a busy machine: 30 ms to this one), and the next request may come by a connection that stands.
        Raises LimitsError when the folder cannot be written.
        """
        if self._interval_s <= 0:
            yield _nothing
            return
        with _locked(self._file, _TEMPORARY_WAY_OUT):
            # What was noted before a restart is later than now: one whole interval is always enough.
            pause = min(self._last() + self._interval_s - time.monotonic(), self._interval_s)
            if pause > 0:
                time.sleep(pause)
            self._note()
            yield self._note

    def _note(self) -> None:
        _write(self._file, repr(time.monotonic()), _TEMPORARY_WAY_OUT)

    def _last(self) -> float:
        try:
            last = float(self._file.read_text())
        except (OSError, ValueError):
            return -math.inf
        return -math.inf if math.isnan(last) else last


class Budget:
    """What may still be asked of one service, counted by all processes that share the file of `name`.

    The count is made before a request is sent and corrected by the answer: what it cost in the service's own unit,
    and whether the service itself says that nothing is left or asks to wait.
    """

    def __init__(self, title: str, name: str, allowed: Sequence[Allowed], now: Callable[[], float] = time.time) -> None:
        self._title = title
        self._allowed = (*allowed, Allowed("", 0, 0, "", ""))  # what no quota is about can still be refused
        self._now = now
        self._name = name
        self._cost: dict[str, int] = {}

    def take(self, url: str) -> Closed | None:
        """Count a request to `url`; when nothing is left, count nothing and say until when."""
        quota = self._quota(url)
        if not self._name or (not quota.most and not self._file.exists()):
            return None
        cost = self._cost.get(quota.name, 1)
        with _locked(self._file, _STATE_WAY_OUT):
            state = self._read()
            window = self._window(state, quota)
            now = self._now()
            if now < window["shut"] <= now + _LONGEST_SHUT_S:
                return Closed(window["shut"], f"{self._title}: the service gives nothing more for now")
            if not quota.most:
                return None
            if window["spent"] + cost > quota.most:
                return Closed(window["opened"] + quota.seconds, quota.spent_text)
            window["spent"] += cost
            self._write(state, quota, window)
        return None

    def answered(self, url: str, headers: Mapping[str, str], wait_s: float | None = None) -> None:
        """Correct the count by an answer. `wait_s` is what a refusal asks to wait."""
        if not self._name:
            return
        quota, now = self._quota(url), self._now()
        counted = self._cost.get(quota.name, 1)
        given = _number({name.lower(): value for name, value in headers.items()}.get("x-ratelimit-credits-used"))
        cost = counted if given is None else int(given)
        self._cost[quota.name] = cost
        said = told(headers, now)
        shut = now + wait_s if wait_s else 0.0
        if said is not None and said.remaining < max(1, cost) and said.reset_in_s:
            shut = max(shut, now + said.reset_in_s)
        if cost == counted and not shut:
            return
        with _locked(self._file, _STATE_WAY_OUT):
            state = self._read()
            window = self._window(state, quota)
            window["spent"] = max(0, window["spent"] + cost - counted)
            window["shut"] = max(window["shut"], shut)
            self._write(state, quota, window)

    @property
    def _file(self) -> Path:
        return _state_folder() / f"{self._name}.json"

    def _quota(self, url: str) -> Allowed:
        path = urlsplit(url).path
        return next(quota for quota in self._allowed if quota.path in path)

    def _window(self, state: dict[str, Any], quota: Allowed) -> dict[str, float]:
        """The quota's window that now lies in: opened, spent, shut (until). A clock set back opens a new one."""
        now, kept = self._now(), state.get(quota.name)
        kept = kept if isinstance(kept, dict) else {}
        found = {key: _number(kept.get(key)) or 0.0 for key in ("opened", "spent", "shut")}
        if not found["opened"] <= now < found["opened"] + quota.seconds:
            opened = now // DAY_S * DAY_S if quota.seconds == DAY_S else now
            found |= {"opened": opened, "spent": 0.0}
        return found

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _write(self, state: dict[str, Any], quota: Allowed, window: dict[str, float]) -> None:
        _write(self._file, json.dumps({**state, quota.name: window}, sort_keys=True), _STATE_WAY_OUT)


UNLIMITED = Budget("", "", ())
"""For the sample, and for tests."""
_TEMPORARY_WAY_OUT = "the folder for temporary files: set TMPDIR"
_STATE_WAY_OUT = "the user's state folder: set XDG_STATE_HOME"


def budget_name(service: str, base_url: str, default_url: str, token: str | None) -> str:
    """The name under which requests are counted: a token has its own account, and another address is another
    service. The token itself is not in it."""
    account = [token] if token else []
    account += [base_url] if base_url != default_url else []
    digest = hashlib.sha256("\n".join(account).encode()).hexdigest()[:12]
    return f"{service}-{digest}" if account else service


def _nothing() -> None:
    pass


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _state_folder() -> Path:
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise LimitsError(f"no place to count requests ({error}); {_STATE_WAY_OUT}") from error
    return Path(base) / "coevo_pipelines" / "limits"


@contextmanager
def _locked(file: Path, way_out: str) -> Iterator[None]:
    """The lock beside `file`. While another process has it for long, a line says so now and then."""
    lock = FileLock(file.with_name(f"{file.name}.lock"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            try:
                lock.acquire(timeout=_TOLD_AFTER_S)
                break
            except Timeout:
                log.info("%s: waiting for the turn of another process", file.name)
    except OSError as error:
        raise _cannot(file, error, way_out) from error
    try:
        yield
    finally:
        lock.release()


def _write(file: Path, text: str, way_out: str) -> None:
    """Whole or not at all: a process can be killed at any moment."""
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_text(text)
        new.replace(file)
    except OSError as error:
        raise _cannot(file, error, way_out) from error


def _cannot(file: Path, error: OSError, way_out: str) -> LimitsError:
    return LimitsError(
        f"the limits of services cannot be kept in {file.parent}: {error.strerror or error} ({way_out} to a folder "
        "that can be written)"
    )


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
