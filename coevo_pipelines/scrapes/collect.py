"""One scrape of one source: ask, keep, and say honestly how it ended."""

from __future__ import annotations

from dataclasses import dataclass

import requests

from coevo_pipelines.scrapes.consent import EVERYBODY, Consent
from coevo_pipelines.scrapes.errors import Incomplete, SourceDown
from coevo_pipelines.scrapes.exchange import Exchange, Journal, secrets
from coevo_pipelines.scrapes.limits import DAY_S, UNLIMITED, Allowed, Budget, RateLimiter, budget_name
from coevo_pipelines.scrapes.scrape import Place, Scrape
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter
from coevo_pipelines.scrapes.sources import Quota, Service
from coevo_pipelines.scrapes.sources import source as source_module
from coevo_pipelines.settings import Settings, Source
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.windows import Window


@dataclass(frozen=True)
class Capture:
    """What a scrape brought. `reason` is one line that says what is missing; empty when complete.

    `resumable`: the source died on the way, so what it did answer holds and the next scrape may go on from
    there. Where it contradicted itself instead, everything has to be asked again.
    """

    exchanges: tuple[Exchange, ...]
    reason: str
    resumable: bool = False

    @property
    def complete(self) -> bool:
        return not self.reason


def collect(
    name: str,
    window: Window,
    settings: Settings,
    endpoint: Endpoint,
    journal: Journal,
    consent: Consent = EVERYBODY,
    places: tuple[Place, ...] = (),
) -> Capture:
    """Ask source `name` for the window's day, less what `consent` withholds; whatever happens, what was answered is in
    the capture. A source `of_places` is asked about `places`.

    A source that is down, refuses or contradicts itself gives an incomplete capture, not an exception: the
    other sources must go on. Anything else (a bug, a full disk) is raised, and the journal keeps the answers
    for the next try.
    """
    module = source_module(name)
    limiter, budget = limits(name, settings)
    adapter = RecordingAdapter(
        endpoint,
        journal,
        settings.http,
        limiter,
        secrets(settings),
        check=module.check,
        keeps_addresses=module.SERVICE.keeps_addresses,
        withhold=lambda url, body: module.withhold(url, body, consent),
        budget=budget,
        also_transient=module.SERVICE.also_transient,
    )
    scrape = Scrape(name, window, settings, adapter, consent, places)
    try:
        module.fetch(scrape)
    except SourceDown as down:
        scrape.shortfalls.insert(0, str(down))
        scrape.died = True
    except (Incomplete, ParseError) as stopped:
        scrape.shortfalls.insert(0, str(stopped))
        scrape.contradicted = True
    except requests.RequestException as broken:
        scrape.shortfalls.insert(0, f"{type(broken).__name__}: {broken}")
        scrape.contradicted = True
    reason = "; ".join(scrape.shortfalls[:3])
    if len(scrape.shortfalls) > 3:
        reason += f"; and {len(scrape.shortfalls) - 3} more"
    return Capture(tuple(journal.exchanges), reason, resumable=scrape.died and not scrape.contradicted)


def limits(name: str, settings: Settings) -> tuple[RateLimiter, Budget]:
    """The limits that source `name` keeps to, together with the sources of the same service. The sample has none."""
    source, service = settings.sources[name], source_module(name).SERVICE
    shared = service.shares_limits_of or name
    if settings.source != "live":
        return RateLimiter(shared, 0.0), UNLIMITED
    token = source.token.get_secret_value() if source.token else None
    default_url = service.defaults.base_url
    # A source that shares the limits of another is at another address of the same service.
    counted = budget_name(shared, source.base_url, default_url, token)
    allowed = [_allowed(name, service, quota, has_token=token is not None) for quota in _quotas(service, source)]
    return RateLimiter(shared, source.min_interval_s), Budget(service.title, counted, allowed)


def _quotas(service: Service, source: Source) -> tuple[Quota, ...]:
    """Those of the service at its own address (another one, a mirror say, has its own); the day's is what the
    settings say, if they do."""
    quotas = service.quotas if source.base_url == service.defaults.base_url else ()
    if source.daily_budget is None:
        return quotas
    return (*(q for q in quotas if q.seconds != DAY_S), Quota(DAY_S, source.daily_budget, source.daily_budget))


def _allowed(name: str, service: Service, quota: Quota, *, has_token: bool) -> Allowed:
    most = quota.with_token if has_token else quota.anonymous
    if quota.seconds == DAY_S:
        spent = f"{service.title}: today's budget of {most:,} requests is spent (sources.{name}.daily_budget)"
    else:
        span = {3600: "an hour", 60: "a minute"}.get(quota.seconds, f"in {quota.seconds:,} s")
        where = f" to {quota.path}" if quota.path else ""
        spent = f"{service.title}: {most:,} requests{where} {span} are spent"
        if not has_token and service.token_variable:
            spent += f" (with a token in {service.token_variable} it is {quota.with_token:,})"
    return Allowed(f"{quota.path}:{quota.seconds}", quota.seconds, most, quota.path, spent)
