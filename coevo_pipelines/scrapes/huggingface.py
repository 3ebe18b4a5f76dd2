"""Hugging Face Hub through huggingface_hub: models, datasets and spaces created on the day, with cards.

https://huggingface.co/docs/hub/api. There is no date filter: listings are sorted by creation, newest first,
and reading stops at the window's start. Likes and downloads are of now only. `createdAt` is never before
2022-03-02, the day on which the Hub began to record it: of an item of that day it says "not later", so its event there
is `listed` (it was there at the day's end), and its creation is not known to be earlier.

What an item derives from is asserted by its tags, by its `cardData` and by the links of its card, each with its own
evidence: where they disagree all of them are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Quota, Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import files, identifiers
from coevo_pipelines.traces.records import ParseError, Traces, json_list
from coevo_pipelines.version import code_version
from coevo_pipelines.windows import Window

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SERVICE = Service(
    "Hugging Face",
    Source(base_url="https://huggingface.co", min_interval_s=0.6, page_size=100),
    token_variable="HF_TOKEN",
    quotas=(Quota(300, 500, 1_000),),
)
withhold = withholding.huggingface
KINDS: Mapping[str, str] = {"models": "model", "datasets": "dataset", "spaces": "space"}
FLOOR = datetime(2022, 3, 2, tzinfo=UTC)
"""The day of the first `createdAt`; what is older has it too."""
_LISTING = re.compile(r"/api/(models|datasets|spaces)$")
_CARD = re.compile(r"^/(?:(datasets|spaces)/)?((?!(?:datasets|spaces)/)[^/]+(?:/[^/]+)?)/raw/main/README\.md$")
"""The oldest items have a name without an owner."""
_PLACE = re.compile(r"^(?:/api)?/(?:(models|datasets|spaces)/)?([^/]+(?:/[^/]+)?)(?:/raw/main/README\.md)?$")
_OWN_HEADERS = frozenset({"host", "accept-encoding", "user-agent"})  # the session's are sent
_RELATION = re.compile(r"^(?:finetune|quantized|adapter|merge):(.+)$")


def fetch(scrape: Scrape) -> None:
    """List the followed tags newest first down to the window's start; read each new item's card."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils._http import get_session

    new: dict[str, None] = {}
    with _api(scrape) as api:
        for topic in scrape.topics():
            for tag in topic.huggingface_tags:
                for kind in KINDS:
                    with scrape.question():
                        try:
                            new.update(dict.fromkeys(_new_items(api, kind, tag, scrape.window)))
                        except HfHubHTTPError as refused:
                            said = f"HTTP {refused.response.status_code}: {str(refused).splitlines()[0]}"
                            raise Incomplete(f"/api/{kind}?filter={tag}: {said}") from refused
                        except (httpx2.HTTPError, httpx2.InvalidURL) as broken:
                            raise Incomplete(f"/api/{kind}?filter={tag}: {broken}") from broken
        for path in new:
            if withholding.is_hub_item_withheld(path, scrape.consent):
                continue
            with scrape.item(path):
                try:
                    get_session().get(
                        f"{scrape.base_url}/{quote(path)}/raw/main/README.md",
                        headers={"authorization": f"Bearer {scrape.token}"} if scrape.token else {},
                    )
                except (httpx2.HTTPError, httpx2.InvalidURL) as broken:
                    raise Incomplete(str(broken)) from broken


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status != 200 or not _LISTING.search(urlsplit(url).path):
        return ""
    try:
        items = json_list(body)
    except ParseError as error:
        return str(error)
    return "" if all(isinstance(item, dict) and "id" in item for item in items) else "an item has no id"


def _new_items(api: HfApi, kind: str, tag: str, window: Window) -> Iterator[str]:
    """Paths of the items created in the window; the listing is left as soon as it gets older than that. An item
    without a name or a date is passed over: the parser says so."""
    for item in _listing(api, kind, tag):
        name, created_at = item.get("id"), _moment(item.get("createdAt"))
        if not isinstance(name, str) or created_at is None:
            continue
        if created_at < window.start:
            return
        if created_at in window:
            yield name if kind == "models" else f"{kind}/{name}"


def _listing(api: HfApi, kind: str, tag: str) -> Iterator[dict[str, Any]]:
    """Items as the Hub gives them: the library's own objects fail on a field that is new or null, and with one of
    these the whole listing."""
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._pagination import paginate

    params = {"filter": [tag], "sort": "createdAt", "full": True} | ({"cardData": True} if kind == "models" else {})
    headers = build_hf_headers(token=api.token, library_name=api.library_name, library_version=api.library_version)
    return iter(paginate(f"{api.endpoint}/api/{kind}", params=params, headers=headers))


def _moment(said: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


@contextmanager
def _api(scrape: Scrape) -> Iterator[HfApi]:
    """A Hub client whose requests go through the recording adapter."""
    import httpx2
    from huggingface_hub import HfApi, close_session, constants, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    session = scrape.session()

    class Bridge(httpx2.BaseTransport):
        """Hands each request to the recording session, and its answer back."""

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _OWN_HEADERS}
            answer = session.request(
                request.method, str(request.url), headers=headers, data=request.read(), allow_redirects=False
            )
            return httpx2.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)

    # With telemetry on, the library asks the Hub for a list of its own before the first request (measured:
    # 30 s when the Hub does not answer) and sends facts about this machine.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    set_client_factory(lambda: httpx2.Client(transport=Bridge(), follow_redirects=True))
    try:
        yield HfApi(
            endpoint=scrape.base_url,
            token=scrape.token or False,
            library_name="coevo_pipelines",
            library_version=code_version(),
        )
    finally:
        set_client_factory(default_client_factory)
        close_session()


def parse(exchange: Exchange, traces: Traces) -> None:
    """Models, datasets or spaces from a listing page; a card and its links."""
    path = unquote(urlsplit(exchange.url).path)
    if match := _LISTING.search(path):
        kind = KINDS[match[1]]
        for number, item in enumerate(json_list(exchange.body)):
            with traces.item(f"[{number}]"):
                _parse_item(kind, item, traces)
    elif match := _CARD.search(path):
        work_id = identifiers.huggingface(KINDS[match[1] or "models"], match[2])
        work_id = traces.heard.get(work_id, work_id)
        text = files.decode(exchange.body)
        traces.text(work_id, "card", text if exchange.body.startswith(files.UTF16) else exchange.body)
        files.refer(work_id, "README.md", text, traces)


def refused(exchange: Exchange, traces: Traces) -> None:
    """What a redirect or a refusal says about an item of the day: its name now, that it is `gated`, `blocked` or `gone`
    (deleted or private: the Hub answers these alike). A card that is not there says nothing."""
    item = _item_at(exchange.url)
    if item is None:
        return
    if exchange.status in {301, 302, 307, 308}:
        _moved(item, _item_at(exchange.headers.get("location", "")), traces)
        return
    code = exchange.headers.get("x-error-code", "")
    if code == "GatedRepo":
        traces.status(item, "gated")
    elif code == "DisabledRepo" or exchange.status == 451:
        traces.status(item, "blocked")
    elif code == "RepoNotFound" or (exchange.status == 401 and not code):
        traces.status(item, "gone")


def _item_at(url: str) -> str | None:
    """The identifier of the item whose page of the API, or card, has this address."""
    try:
        match = _PLACE.search(unquote(urlsplit(url).path))
        return identifiers.huggingface(KINDS[match[1] or "models"], match[2]) if match else None
    except ValueError:  # no address; not a name
        return None


def _moved(before: str, after: str | None, traces: Traces) -> None:
    """A redirect to another name: the day's item keeps the one under which it was listed, and the card goes to it."""
    kind, _, name = (after or "").partition("/")
    # Every item that moves gets an owner: a redirect to `/login` would make one work of all that it is said of.
    if after is not None and after != before and kind == before.partition("/")[0] and "/" in name:
        traces.heard[after] = traces.heard.get(before, before)
        traces.identity(before, after, traces.window.last_instant, "huggingface: moved")
        traces.status(before, "renamed")


def _parse_item(kind: str, item: Any, traces: Traces) -> None:
    if not isinstance(item, dict):
        raise ParseError("the item is not an object")
    name = item.get("id") or item.get("modelId")
    work_id = identifiers.huggingface(kind, name)
    created_at = traces.moment(item.get("createdAt"))
    if created_at not in traces.window:
        traces.outside(work_id)
        return
    is_older = FLOOR <= created_at < FLOOR + timedelta(days=1)
    tags = [str(tag) for tag in item.get("tags") or []]
    licenses = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    owner = f"hf:{str(name).partition('/')[0]}" if "/" in str(name) else None
    traces.work(
        work_id,
        kind=kind,
        event="listed" if is_older else "created",
        event_at=created_at,
        title=str(name),
        created_at=created_at,
        version=item.get("sha"),
        status=_status(item),
        license=licenses[0] if licenses else None,
        owner=owner,
        native_id=item.get("_id"),
        url=f"https://huggingface.co/{'' if kind == 'model' else kind + 's/'}{name}",
        fields=[item["pipeline_tag"]] if item.get("pipeline_tag") else [],
        tags=tags,
        text=str(name),
    )
    traces.metric(work_id, "likes", item.get("likes"))
    traces.metric(work_id, "downloads", item.get("downloads"))
    if owner:
        traces.person(work_id, "owner", 1, created_at, account=owner)
    _references_of_tags(work_id, kind, tags, created_at, traces)
    card = item.get("cardData")
    if isinstance(card, dict):
        for field, relation, of in _OF_CARDS[kind]:
            convert = partial(identifiers.huggingface, of)
            for named in _as_list(card.get(field)):
                evidence = f"card {field}: {named}"
                source = named.removeprefix("extended|") if field == "source_datasets" else named
                if field == "source_datasets" and (source in _NO_SOURCE or source.startswith("other")):
                    continue
                if target := traces.read(f"{work_id} {evidence}", convert, source):
                    traces.reference(work_id, target, relation, created_at, evidence)


_BASE = ("base_model", "derives_from", "model")
_TRAINED_ON = ("datasets", "trained_on", "dataset")
_MADE_FROM = (("datasets", "derives_from", "dataset"), ("source_datasets", "derives_from", "dataset"))
_OF_CARDS = {"model": (_BASE, _TRAINED_ON), "dataset": (_BASE, *_MADE_FROM), "space": (_BASE, _TRAINED_ON)}
"""By kind: the fields of a card that name other items, the relation, and the kind of what is named."""
_NO_SOURCE = frozenset({"original", "extended"})


def _status(item: dict[str, Any]) -> str:
    """`gated` is false, absent, "auto" or "manual"."""
    if item.get("disabled"):
        return "blocked"
    return "private" if item.get("private") else "gated" if item.get("gated") else "active"


def _references_of_tags(work_id: str, kind: str, tags: list[str], at: datetime, traces: Traces) -> None:
    for tag in tags:
        scheme, _, named = tag.partition(":")
        if scheme not in _OF_TAGS:
            continue
        relation, convert = _OF_TAGS[scheme]
        if scheme == "dataset" == kind:  # names what it was made from
            relation = "derives_from"
        evidence = f"tag {tag}"
        if target := traces.read(f"{work_id} {evidence}", convert, named):
            traces.reference(work_id, target, relation, at, evidence)


def _base(named: str) -> str:
    match = _RELATION.match(named)
    return identifiers.huggingface("model", match[1] if match else named)


def _arxiv(text: Any) -> str:
    return identifiers.arxiv(text)[0]


_OF_TAGS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "base_model": ("derives_from", _base),
    "dataset": ("trained_on", partial(identifiers.huggingface, "dataset")),
    "arxiv": ("cites", _arxiv),
    "doi": ("cites", identifiers.doi),
}


def _as_list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
