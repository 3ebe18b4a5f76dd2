"""arXiv's OAI-PMH of the sample: the verbs Identify and ListRecords (arXivRaw), answered as oaipmh.arxiv.org does.

The facts give one version a paper, without a source, and no day of change: a paper changed when it appeared. The
sample's search finds all its papers under each term of its topic (`world.about`), and OAI has no search: so each
record says in its comments what it was chosen for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape, quoteattr

from coevo_pipelines.sample.answers import Answer, Parameters, Refused
from coevo_pipelines.sample.world import Fact, World
from coevo_pipelines.settings import SWARM_INTELLIGENCE

RECORDS = 40  # a page; small, so that the sample needs resumption tokens
EARLIEST = "2005-09-16"
_IN_PHYSICS = frozenset(
    {"astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin", "nucl-ex", "nucl-th",
     "physics", "quant-ph"}
)  # fmt: skip
_REMARK = f"Composed for the sample: chosen for the topic {SWARM_INTELLIGENCE.terms[0]}"
_ARGUMENTS = frozenset({"verb", "metadataPrefix", "from", "until", "set"})


def arxiv_oai(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/oai`. Every error of the protocol is a good answer with an element <error>."""
    if path != "/oai":
        raise Refused(404, "<html><body>Not Found</body></html>", "text/html")
    verb = parameters.get("verb", "")
    if verb == "Identify":
        return _answer(world, parameters, _IDENTIFY)
    if verb != "ListRecords":
        raise _error(world, parameters, "badVerb", f"The verb {verb!r} is not one of this service's")
    return _list(world, parameters)


def _list(world: World, parameters: Parameters) -> Answer:
    if "resumptionToken" in parameters:
        if set(parameters) != {"verb", "resumptionToken"}:
            raise _error(world, parameters, "badArgument", "No other parameters are allowed with a resumptionToken")
        asked = dict(parse_qsl(unquote(parameters["resumptionToken"])))
        come, ends = asked.pop("skip", ""), asked.pop("ends", "")
        if not come.isdecimal() or ends != _ends(world.day):
            raise _error(world, parameters, "badResumptionToken", "The token is not valid, or its time is over")
        skip = int(come)
    else:
        asked, skip = parameters, 0
    if set(asked) - _ARGUMENTS or "metadataPrefix" not in asked:
        raise _error(world, parameters, "badArgument", "metadataPrefix is required; from, until and set are allowed")
    if asked["metadataPrefix"] != "arXivRaw":
        raise _error(world, parameters, "cannotDisseminateFormat", "Did not recognize requested format")
    first, last = asked.get("from", EARLIEST), asked.get("until", "9999-12-31")
    if not (_is_day(first) and _is_day(last)) or first < EARLIEST or last < first:
        raise _error(world, parameters, "badArgument", f"from and until are days, from {EARLIEST} on")
    found = [
        paper
        for paper in world.papers(on_arxiv=True)
        if first <= _datestamp(paper) <= last and _in_set(paper, asked.get("set", ""))
    ]
    if not found[skip:]:
        raise _error(world, parameters, "noRecordsMatch", "")
    records = "".join(map(_record, found[skip : skip + RECORDS]))
    token = ""
    if skip + RECORDS < len(found):
        token = quote(urlencode({**asked, "skip": skip + RECORDS, "ends": _ends(world.day)}), safe="")
    expires = f' expirationDate="{_ends(world.day)}T00:00:00Z"' if token else ""
    return _answer(
        world, parameters,
        f"<ListRecords>\n{records}<resumptionToken{expires}>{token}</resumptionToken>\n</ListRecords>",
    )  # fmt: skip


def _record(paper: Fact) -> str:
    number, at = paper["arxiv_id"], datetime.fromisoformat(paper["published"]).replace(tzinfo=UTC)
    sets = "".join(f"<setSpec>{escape(one)}</setSpec>" for one in _sets(paper))
    doi = f"<doi>{escape(paper['doi'])}</doi>" if paper["doi"] else ""
    return (
        f"<record><header><identifier>oai:arXiv.org:{number}</identifier><datestamp>{_datestamp(paper)}</datestamp>"
        f'{sets}</header><metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{number}</id>'
        f'<version version="v1"><date>{format_datetime(at, usegmt=True)}</date><size>1kb</size></version>'
        f"<title>{escape(paper['title'])}</title><authors>{escape(', '.join(paper['authors']))}</authors>"
        f"<categories>{escape(' '.join(paper['categories']))}</categories><comments>{escape(_REMARK)}</comments>"
        f"{doi}<abstract/></arXivRaw></metadata></record>\n"
    )


def _datestamp(paper: Fact) -> str:
    return max(str(paper["published"]), EARLIEST)


def _sets(paper: Fact) -> list[str]:
    """`cs:cs:NE` for cs.NE, `physics:nlin:AO` for nlin.AO, `physics:math-ph` for math-ph."""
    return [
        ":".join(filter(None, ("physics" if archive in _IN_PHYSICS else archive, archive, subject)))
        for archive, _, subject in (category.partition(".") for category in paper["categories"])
    ]


def _in_set(paper: Fact, wanted: str) -> bool:
    return not wanted or any(one == wanted or one.startswith(f"{wanted}:") for one in _sets(paper))


def _ends(day: date) -> str:
    """The next midnight of the sample's clock (`server.answer_time`)."""
    return f"{day + timedelta(days=2)}"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _error(world: World, parameters: Mapping[str, str], code: str, message: str) -> Refused:
    refused = Refused(200, message)
    refused.answer = _answer(world, parameters, f'<error code="{code}">{escape(message)}</error>')
    return refused


def _answer(world: World, parameters: Mapping[str, str], content: str) -> Answer:
    asked = "".join(f" {name}={quoteattr(value)}" for name, value in parameters.items() if name.isalpha())
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">\n'
        f"<responseDate>{world.day + timedelta(days=1)}T02:00:00Z</responseDate>"
        f"<request{asked}>https://oaipmh.arxiv.org/oai</request>\n{content}\n</OAI-PMH>\n"
    )
    return Answer(200, body.encode(), "text/xml")


_IDENTIFY = (
    "<Identify><repositoryName>arXiv</repositoryName><baseURL>https://oaipmh.arxiv.org/oai</baseURL>"
    f"<protocolVersion>2.0</protocolVersion><earliestDatestamp>{EARLIEST}</earliestDatestamp>"
    "<deletedRecord>persistent</deletedRecord><granularity>YYYY-MM-DD</granularity></Identify>"
)
