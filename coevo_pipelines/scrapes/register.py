"""The round keeper's register: one TOML file of claims, opt-outs and contributor shares, kept raw day by day.

Consent must be checkable down to the bytes, so the file is captured like any other source, whole. The setting
`sources.register.base_url` is the path of a local file or an http(s) address; what is in it: `traces/register.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import REGISTER, Source
from coevo_pipelines.traces import register
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import Traces

SERVICE = Service("The register", Source(base_url=REGISTER, min_interval_s=0.0, page_size=1), keeps_addresses=True)
"""A file here, or an http(s) address of one."""
withhold = withholding.nothing
CHANGE = "sources.register.base_url"


def fetch(scrape: Scrape) -> None:
    """Read the register. A missing file at the default place is an empty register; elsewhere it is missing.

    A register that is no TOML leaves the day incomplete, with its bytes kept: the next run asks again.
    """
    if scrape.base_url.startswith(("http://", "https://")):
        answer = scrape.session().get(scrape.base_url)
        if answer.status_code != 200:
            raise Incomplete(f"{scrape.base_url}: HTTP {answer.status_code} ({CHANGE})")
        body = answer.content
    else:
        kept = _from_file(scrape)
        if kept is None:
            return
        body = kept
    try:
        register.load(body)
    except ParseError as error:
        raise Incomplete(f"{scrape.base_url}: {error}") from error


def check(_url: str, _status: int, _body: bytes) -> str:
    """Nothing is asked again for what it holds: a wrong register stays wrong until somebody writes it anew."""
    return ""


def parse(exchange: Exchange, traces: Traces) -> None:
    """What of the register stands at the day's end. Raises ParseError when the file as a whole is unreadable."""
    standing = register.read(exchange.body, traces.window.last_instant)
    for claim in standing.claims:
        for subject in claim.subjects:
            traces.claim(claim.person, subject, claim.since, name=claim.name, proof=claim.proof)
        for channel, address in claim.payouts:
            traces.payout(claim.person, channel, address, f"{claim.place}.payout.{channel}", claim.since)
    for optout in standing.optouts:
        traces.optout(optout.scope, optout.subject, optout.since, optout.reason)
    for share in standing.shares:
        for who, amount in share.parts:
            place = f"{share.place}.{share.basis}"
            traces.contribution(share.work, who, share.basis, amount, place, share.since)
    for place, reason in standing.rejected:
        traces.reject(place, reason)


def _from_file(scrape: Scrape) -> bytes | None:
    """The bytes of the local file, stored as an exchange; None where there is none and none was named."""
    path, journal = Path(scrape.base_url).expanduser(), scrape.adapter.journal
    known = _good(journal.exchanges)
    if known is not None:
        return known.body
    limit = scrape.settings.http.max_body_mb
    status, body, error = None, b"", None
    try:
        if not path.is_file():
            error = f"{scrape.base_url}: no such file"
        else:
            with path.open("rb") as stream:
                body = stream.read((limit << 20) + 1)
            status = 200
            if len(body) > limit << 20:
                status, body, error = None, b"", f"the file is longer than {limit} MB (http.max_body_mb)"
    except OSError as failed:
        error = f"{scrape.base_url}: {failed.strerror or failed}"
    now = scrape.adapter.endpoint.now()
    journal.append(Exchange("GET", f"file:{scrape.base_url}", status, {}, now, body, error))
    if error is None:
        return body
    if scrape.base_url == REGISTER and not path.exists():
        return None
    raise Incomplete(f"{error} ({CHANGE}, relative to the folder that the program runs in)")


def _good(exchanges: Iterable[Exchange]) -> Exchange | None:
    return next((exchange for exchange in exchanges if exchange.ok), None)
