"""Post a receipt set once: the ledger's entry goes to an address, the answer comes back into the ledger.

The request carries the entry's id as `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07: a structured
field string, so in quotes), the same on every attempt and after a restart, so that a receiver who heard it twice books
it once. With a secret it is signed as Standard Webhooks 1.0.0 says (`webhook-id`, `webhook-timestamp`,
`webhook-signature`), anew for each attempt: receivers refuse old timestamps.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
from filelock import FileLock
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.rewards.ledger import PAYABLE, Entry, RewardLedger, State
from coevo_pipelines.version import user_agent

log = logging.getLogger(__name__)

TRANSIENT = frozenset({408, 409, 425, 429, *range(500, 600)})
"""409: what the draft lets a receiver answer while it is still at an earlier attempt with the same key."""

RETRIES = Retry(
    total=6, backoff_factor=1, backoff_max=60, retry_after_max=600, status_forcelist=TRANSIENT, allowed_methods=None
)
"""At once, then after 2, 4, 8, … s; a Retry-After of more than 10 minutes ends it."""

TIMEOUT_S = (10.0, 30.0)
"""To connect, and for the whole answer after that; Standard Webhooks asks for 15 to 30 s."""

MOST_ANSWER = 1 << 20
"""Bytes of an answer that are read, and that `answer_sha256` is of."""

_KEY_BYTES = range(24, 65)


class NotSent(RuntimeError):
    """Nothing was recorded. The message says why, and whether the receiver may have heard it."""


@dataclass(frozen=True)
class DryRun:
    """What would be sent now; of an entry that is paid nothing would be, and `Sent` says so."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Sent:
    """The receiver has it."""

    payment: Entry
    now: bool
    """False: the ledger said so already, and nothing was sent."""


@dataclass(frozen=True)
class _Answer:
    status: int
    sha256: str


class _Passing(Exception):
    """A failure that another attempt may not meet; `wait_s` is what the receiver asked for."""

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


def send(
    ledger: RewardLedger,
    entry_id: str,
    url: str,
    *,
    dry_run: bool = True,
    secret: str | None = None,
    session: requests.Session | None = None,
    timeout_s: tuple[float, float] = TIMEOUT_S,
    retries: Retry = RETRIES,
) -> Sent | DryRun:
    """POST entry `entry_id` (a round, release or correction) to `url` and append the answer as a payment.

    Once: an entry that is paid in the ledger is not sent, and of several processes one sends while the others wait.
    Who is killed between the answer and the ledger sends the same key again. `secret` is `whsec_` and 24 to 64
    bytes in base64. The ledger keeps the url without its query, where tokens are.

    Raises NotSent for an entry that is not there or was corrected, a url that is not https (http to loopback is
    allowed), a redirect, any other answer that is not 2xx, and when `retries` are used up.
    """
    target = _checked(url)
    key = _key(secret) if secret is not None else None
    state = ledger.replay()
    body = canonical(dict(_payable(state, entry_id).record))
    if dry_run and entry_id not in state.payments:
        return DryRun(url, _headers(entry_id, body, key), body)
    with FileLock(ledger.folder / f".pay-{entry_id}.lock"):
        state = ledger.replay()
        if (paid := state.payments.get(entry_id)) is not None:
            return Sent(paid, now=False)
        entry = _payable(state, entry_id)
        with nullcontext(session) if session else requests.Session() as used:
            answer, attempts = _deliver(used, url, lambda: _headers(entry_id, body, key), body, timeout_s, retries)
        payment = {
            "kind": "payment",
            "round": entry.record["round"],
            "as_of": entry.record["as_of"],
            "pays": entry_id,
            "key": entry_id,
            "url": urlunsplit(target._replace(query="", fragment="")),
            "status": answer.status,
            "answer_sha256": answer.sha256,
            "attempts": attempts,
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        }
        return Sent(ledger.append(payment, eligible=()), now=True)


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of Standard Webhooks, symmetric: `v1,` and HMAC-SHA256 in base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _payable(state: State, entry_id: str) -> Entry:
    entry = state.entries.get(entry_id)
    if entry is None:
        raise NotSent(f"the reward ledger has no entry {entry_id}")
    kind, name, as_of = (entry.record[k] for k in ("kind", "round", "as_of"))
    if kind not in PAYABLE:
        raise NotSent(f"entry {entry_id} has kind {kind}: only {', '.join(sorted(PAYABLE))} entries are sent")
    if kind != "release" and entry_id not in state.payments:
        holds = state.rounds[name].effective(as_of).id
        if holds != entry_id:
            raise NotSent(f"entry {entry_id} was corrected: send {holds}, which holds for round {name} {as_of}")
    return entry


def _checked(url: str) -> SplitResult:
    try:
        target = urlsplit(url)
        _ = target.port
    except ValueError as error:
        raise NotSent(f"the webhook's url is none: {error}") from error
    where = f"{target.scheme}://{target.hostname}"
    if "@" in target.netloc:
        raise NotSent(f"{where}: a user and password in the url would be kept in logs; sign with a secret instead")
    if not target.hostname or not (
        target.scheme == "https" or (target.scheme == "http" and _loopback(target.hostname))
    ):
        raise NotSent(f"{where}: a receipt set goes to an https url, or to http on this machine")
    return target


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise NotSent("the webhook's secret is not `whsec_` and base64") from error
    if len(key) not in _KEY_BYTES:
        raise NotSent(f"the webhook's secret has {len(key)} bytes; Standard Webhooks asks for 24 to 64")
    return key


def _headers(entry_id: str, body: bytes, key: bytes | None) -> dict[str, str]:
    headers = {
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Idempotency-Key": f'"{entry_id}"',
        "User-Agent": user_agent(),
    }
    if key is not None:
        now = int(time.time())
        headers |= {
            "webhook-id": entry_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(key, entry_id, now, body),
        }
    return headers


def _deliver(
    session: requests.Session,
    url: str,
    headers: Callable[[], Mapping[str, str]],
    body: bytes,
    timeout_s: tuple[float, float],
    retries: Retry,
) -> tuple[_Answer, int]:
    """The 2xx answer, and the attempts that it took. `retries` counts them and says how long to wait; the loop is
    ours because urllib3's repeats old headers and does not look at the body."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return _attempt(session, url, headers(), body, timeout_s, retries), attempts
        except _Passing as failure:
            where = url.partition("?")[0]
            what = f"{where}: {failure}, attempt {attempts}"
            if failure.wait_s is not None and failure.wait_s > retries.retry_after_max:
                raise NotSent(
                    f"{what}; asks to wait {failure.wait_s:.0f} s, at most {retries.retry_after_max} are waited: "
                    "send again later, with the same key it is booked once"
                ) from failure
            try:
                retries = retries.increment("POST", where, error=failure)
            except MaxRetryError as error:
                raise NotSent(
                    f"{what}, the last. The receiver may have heard it: send again, with the same key it is booked once"
                ) from error
            wait_s = retries.get_backoff_time() if failure.wait_s is None else failure.wait_s
            log.info("%s, next in %.0f s", what, wait_s)
            time.sleep(wait_s)


def _attempt(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout_s: tuple[float, float],
    retries: Retry,
) -> _Answer:
    """One exchange, straight through the adapter: the session would read a redirect's whole body."""
    request = session.prepare_request(requests.Request("POST", url, data=body, headers=dict(headers), auth=_no_auth))
    target = request.url or url
    options: dict[str, Any] = dict(session.merge_environment_settings(target, {}, True, None, None))
    if _loopback(urlsplit(target).hostname or ""):
        options["proxies"] = {}
    try:
        with session.get_adapter(target).send(request, **options | {"timeout": timeout_s}) as response:
            status = response.status_code
            if retries.is_retry("POST", status):
                raise _Passing(f"HTTP {status}", _retry_after(response.headers, retries))
            if not 200 <= status < 300:
                to = (
                    f" to {response.headers.get('Location', '').partition('?')[0][:200]!r}"
                    if 300 <= status < 400
                    else ""
                )
                raise NotSent(f"{url.partition('?')[0]}: HTTP {status}{to}: nothing was recorded; {_advice(status)}")
            return _Answer(status, _digest(response, time.monotonic() + timeout_s[1]))
    except (requests.RequestException, TransportError, OSError) as error:
        # Not chained: requests' text, and that of its causes, spells out the query.
        raise _Passing(f"{type(error).__name__}: {str(error).replace(urlsplit(target).query or '?', '…')}") from None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of what a .netrc file says."""
    return request


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "redirects are not followed, give the final url"
    if status == 410:
        return "the receiver wants no more of them"
    return "the receiver refuses it, and would refuse it again"


def _digest(response: requests.Response, deadline: float) -> str:
    """sha256 of the answer's body as sent, of its first MOST_ANSWER bytes. Raises when it is cut off or drips."""
    digest, left = hashlib.sha256(), MOST_ANSWER
    while left and (chunk := response.raw.read1(min(left, 1 << 16), decode_content=False)):
        digest.update(chunk)
        left -= len(chunk)
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer does not end")
    return digest.hexdigest()


def _retry_after(headers: Mapping[str, str], retries: Retry) -> float | None:
    """Seconds to wait; None where the header says nothing that can be read."""
    try:
        return retries.new(retry_after_max=10**9).parse_retry_after(headers["Retry-After"])
    except (KeyError, TransportError, ValueError, OverflowError):
        return None
