"""The records of works, people, repositories and chambers, against the catalog and against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl
import pytest

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.report.build import answers
from coevo_pipelines.report.entities import chambers, people, repositories, works
from coevo_pipelines.report.entities.asked import HISTORY, MOST, by_owner, filled, placed, short
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages import entities
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.asked import DAY, catalog_of
from coevo_pipelines_tests.runs import DAYS

LAST = DAYS[-1]
Kept = dict[str, dict[str, Any]]
"""Records of a kind, as a page gets them."""


def all_of(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, Kept]:
    """The records of each kind; fails where one identifier has two."""
    connection.execute(f"SET VARIABLE day = DATE '{day}'")
    days = connection.sql("SELECT DISTINCT date FROM lake.commits WHERE date <= getvariable('day') ORDER BY 1")
    about = About(day, "sample", tuple(row[0] for row in days.fetchall()))
    found: dict[str, Kept] = {}
    for each in entities.RECORDS:
        rows = list(each.records(answers(connection, each.queries), about))
        kept = {identifier: orjson.loads(orjson.dumps(record)) for identifier, record in rows}
        assert len(kept) == len(rows)
        found[each.kind] = kept
    return found


@pytest.fixture(scope="module")
def catalog(sample: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def kinds(catalog: duckdb.DuckDBPyConnection) -> dict[str, Kept]:
    return all_of(catalog, LAST)


def ids(catalog: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    return {row[0] for row in catalog.execute(sql, {"day": LAST}).fetchall()}


def own(records: Kept) -> Kept:
    """Without those that say whom they are."""
    return {identifier: record for identifier, record in records.items() if "is" not in record}


def test_every_work_and_every_other_name_of_one_has_its_record(
    catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]
) -> None:
    assert set(own(kinds["work"])) == ids(catalog, "SELECT node_id FROM citations.nodes_as_of($day)")
    names = ids(catalog, "SELECT id FROM citations.aliases WHERE date <= $day")
    assert names <= set(kinds["work"])
    for name in names & {each for each, record in kinds["work"].items() if "is" in record}:
        assert name in kinds["work"][kinds["work"][name]["is"]]["aliases"]


def test_every_person_has_a_record_but_who_opted_out(
    catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]
) -> None:
    everyone = ids(catalog, "SELECT person_id FROM influence.people WHERE date = $day UNION "
                            "SELECT person_id FROM rewards.allocations WHERE date = $day")  # fmt: skip
    out = ids(catalog, "SELECT subject FROM traces.optouts WHERE date = $day")
    hidden = out | ids(catalog, "SELECT subject FROM traces.claims WHERE date = $day AND person_id IN "
                                "(SELECT subject FROM traces.optouts WHERE date = $day)")  # fmt: skip
    assert "person:sample-rashedi" in hidden
    assert len(hidden) == 2
    assert everyone - hidden <= set(kinds["person"])
    assert not hidden & set(kinds["person"])


def test_who_opted_out_is_named_nowhere(kinds: dict[str, Kept]) -> None:
    text = orjson.dumps(kinds).decode()
    assert "Rashedi" not in text
    assert "sample-rashedi" not in text
    authors = kinds["work"]["doi:10.1016/j.ins.2009.03.004"]["authors"]
    assert authors[0] == [None, people.UNNAMED]
    assert authors[1][0] == "doi:10.1016/j.ins.2009.03.004#2"


def test_every_repository_and_chamber_has_its_record(
    catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]
) -> None:
    named = ids(catalog, "SELECT node_id FROM citations.nodes_as_of($day) WHERE kind = 'repository'")
    in_genome = ids(catalog, "SELECT 'git:' || repo FROM genome.repositories WHERE date = $day")
    assert set(own(kinds["repository"])) == named | in_genome
    assert {each.removeprefix("git:") for each in in_genome} <= set(kinds["repository"])
    assert set(kinds["chamber"]) == ids(catalog, "SELECT chamber_id FROM influence.chambers WHERE date <= $day")


def test_no_link_between_records_is_dead(kinds: dict[str, Kept]) -> None:
    asked: set[tuple[str, str | None]] = set()
    for kind, kept in kinds.items():
        asked |= {(kind, record["is"]) for record in kept.values() if "is" in record}
    for record in own(kinds["work"]).values():
        links = [*record.get("users", []), *record.get("builds_on", []), *record.get("bonds", [])]
        asked |= {("work", link[0]) for link in links}
        asked |= {("person", author[0]) for author in record.get("authors", [])}
        asked |= {("person", payee[0]) for round_ in record.get("rewards", []) for payee in round_[5]}
        asked |= {("person", record["owner"][0])} if "owner" in record else set()
        asked |= {("chamber", record["lattice"][0])} if "lattice" in record else set()
    for record in own(kinds["person"]).values():
        asked |= {("work", work[0]) for work in record.get("works", [])}
        parts = [part[4:6] for part in record.get("explained", [])]
        asked |= {("work", work[0]) for pair in parts for work in pair if work and work[2]}
    for record in kinds["chamber"].values():
        asked |= {("work", each[0]) for each in [*record.get("members", []), *record.get("bridges", [])]}
        asked |= {("chamber", each[0]) for each in record.get("neighbours", [])}
        asked |= {("chamber", origin) for event in record["events"] for origin, known in event[2] if known}
    for kind, identifier in asked:
        assert identifier is None or identifier in kinds[kind], (kind, identifier)
    assert len(asked) > 1_500


def test_scores_ranks_and_links_are_those_of_the_tables(
    catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]
) -> None:
    rows = catalog.execute(
        "SELECT node_id, influence, guarded_inflow, in_degree, cd_index, integrative_potential, "
        "1 + (SELECT count(*) FROM influence.scores o WHERE o.date = s.date AND o.influence > s.influence) "
        "FROM influence.scores s WHERE date = $day",
        {"day": LAST},
    ).fetchall()
    assert len(rows) == len(own(kinds["work"]))
    place = [works.SCORES.index(name) for name in
             ("influence", "guarded_inflow", "in_degree", "cd_index", "integrative_potential")]  # fmt: skip
    for node, *scores, rank in rows:
        record = kinds["work"][node]
        assert [record["scores"][each] for each in place] == [
            short(score) if isinstance(score, float) else score for score in scores
        ]
        assert record["rank"] == [rank, len(rows)]
    edges = catalog.execute(
        "SELECT source, target, relation FROM citations.edges_as_of($day) WHERE source <> target", {"day": LAST}
    ).fetchall()
    into = {(link[0], node, link[3]) for node, r in own(kinds["work"]).items() for link in r.get("users", [])}
    out = {(node, link[0], link[3]) for node, r in own(kinds["work"]).items() for link in r.get("builds_on", [])}
    assert into == out == set(edges)
    for record in own(kinds["work"]).values():
        users = record.get("users", [])
        assert sum(record.get("used", {}).values()) == len(users)
        assert [link[4] for link in users] == sorted((link[4] for link in users), reverse=True)


def test_the_proof_of_a_link_names_one_row(catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]) -> None:
    held = {row[:4]: row[4:] for row in catalog.execute(
        "SELECT date::VARCHAR, source, target, relation, raw_sha256, evidence FROM citations.edges"
    ).fetchall()}  # fmt: skip
    for node, record in own(kinds["work"]).items():
        for other, _, _, relation, _, _, evidence, raw, _, day, *moved in record.get("users", []):
            source, target = moved or (None, None)
            sha256, said = held[day, source or other, target or node, relation]
            assert sha256.startswith(raw)
            assert said == evidence


def test_the_history_has_each_day_and_null_where_there_was_nothing(
    catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]
) -> None:
    held = {(node, day): value for node, day, value in catalog.execute(
        "SELECT node_id, date, influence FROM influence.scores").fetchall()}  # fmt: skip
    for node, record in own(kinds["work"]).items():
        assert record["history"][0] == [short(held.get((node, day))) for day in DAYS]
    new = [record for record in own(kinds["work"]).values() if record["history"][0][0] is None]
    assert new
    assert all(record["history"][2][0] is None for record in new)


def test_counters_are_null_where_nobody_looked(catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]) -> None:
    lines = {name: line for name, line, _ in kinds["work"]["github:ljvmiranda921/pyswarms"]["metrics"]}
    rows = dict(catalog.execute("SELECT date, value FROM traces.metrics WHERE metric = 'stars' AND "
                                "work_id = 'github:ljvmiranda921/pyswarms'").fetchall())  # fmt: skip
    assert lines["stars"] == [rows.get(day) for day in DAYS]
    assert None in lines["stars"]


def test_people_have_the_sums_of_what_is_theirs(catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]) -> None:
    inflow = dict(catalog.execute("SELECT person_id, inflow FROM influence.people WHERE date = $day", {"day": LAST})
                  .fetchall())  # fmt: skip
    for page, record in own(kinds["person"]).items():
        mine = [each for each in {page, *record.get("identifiers", [])} if each in inflow]
        if mine:
            assert record["scores"][1] == pytest.approx(sum(inflow[each] for each in mine), rel=1e-5)
    assert kinds["person"]["github:NiaOrg"] == {"is": "person:sample-ada"}
    assert "github:NiaOrg" in kinds["person"]["person:sample-ada"]["identifiers"]
    amounts = catalog.execute(
        "SELECT person_id, amount::VARCHAR FROM rewards.allocations WHERE date = $day AND person_id IN "
        "(SELECT person_id FROM rewards.receipts WHERE date = $day)", {"day": LAST}).fetchall()  # fmt: skip
    assert len(amounts) > 5
    for person, amount in amounts:
        assert [each[3] for each in kinds["person"][person]["rounds"]] == [amount]


def test_a_claim_that_is_disputed_or_has_no_proof_puts_nobody_together(kinds: dict[str, Kept]) -> None:
    assert "is" not in kinds["person"]["doi:10.1145/2576768.2598264#1"]
    assert kinds["person"]["doi:10.1145/2576768.2598264#1"]["held"] == "disputed"
    assert [claim[3] for claim in kinds["person"]["person:sample-pretender"]["claims"]] == [True]
    assert "is" not in kinds["person"]["doi:10.1109/tevc.2008.919004#1"]


def test_chambers_hold_their_members_and_neighbours(catalog: duckdb.DuckDBPyConnection, kinds: dict[str, Kept]) -> None:
    members = pl.DataFrame(pl.from_arrow(catalog.sql(
        f"SELECT chamber_id, node_id FROM influence.lattice WHERE date = DATE '{LAST}'").to_arrow_table()))  # fmt: skip
    chamber = dict(members.select("node_id", "chamber_id").iter_rows())
    pairs = {frozenset(row) for row in catalog.execute(
        "SELECT source, target FROM citations.edges_as_of($day) WHERE source <> target", {"day": LAST}
    ).fetchall()}  # fmt: skip
    for name, record in kinds["chamber"].items():
        if "ended" in record:
            continue
        assert {each[0] for each in record["members"]} == {node for node, held in chamber.items() if held == name}
        across = [other for a, b in map(tuple, pairs) for own_, other in ((a, b), (b, a))
                  if chamber[own_] == name and chamber[other] not in (None, name)]  # fmt: skip
        assert sum(each[1] for each in record.get("neighbours", [])) == len(across)


def test_nothing_of_a_later_day_is_in_a_record(catalog: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A catalog without the last day gives the same records of the day before, byte for byte."""
    with_all = all_of(catalog, DAYS[1])
    cut = tmp_path / "cut.duckdb"
    with duckdb.connect(str(cut)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        file = catalog.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchone()
        assert file is not None
        connection.execute(f"ATTACH '{file[0]}' AS whole (READ_ONLY)")
        for schema, table in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'whole' "
            "AND schema_name NOT IN ('swarm', 'scrapes')"
        ).fetchall():
            dated = "" if (schema, table) == ("lake", "about") else f" WHERE date <= DATE '{DAYS[1]}'"
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            connection.execute(
                f'CREATE TABLE "{schema}"."{table}" AS FROM whole."{schema}"."{table}"{dated} ORDER BY ALL'
            )
        assert orjson.dumps(all_of(connection, DAYS[1])) == orjson.dumps(with_all)
    assert with_all != all_of(catalog, LAST)


def test_an_empty_catalog_has_no_records_and_its_pages_say_so() -> None:
    connection = catalog_of({})
    connection.execute("CREATE SCHEMA lake; CREATE TABLE lake.commits (table_name VARCHAR, date DATE)")
    assert all_of(connection, DAY) == {"work": {}, "person": {}, "repository": {}, "chamber": {}, "hub": {}}
    for page in entities.PAGES:
        assert "There are no " in page.body(answers(connection, page.queries), About(DAY, "live", (DAY,)))


def one_hub(users: int) -> Mapping[str, list[dict[str, Any]]]:
    """A work that `users` others use, a stub that it names, and a person with an e-mail address for a name."""
    names = ["arxiv:hub", *(f"arxiv:user-{number:05}" for number in range(users))]
    return {
        "traces.works": [{"work_id": name, "title": name, "source": "arxiv"} for name in names],
        "citations.nodes": [{"node_id": name, "node": n} for n, name in enumerate([*names, "doi:stub"])],
        "citations.edges": [
            {"source": name, "target": "arxiv:hub", "relation": "cites", "evidence": "x", "raw_sha256": "ab"}
            for name in names[1:]
        ] + [{"source": "arxiv:hub", "target": "doi:stub", "relation": "mentions", "raw_sha256": "cd"}],
        "influence.scores": [{"node_id": name, "influence": n + 1.0} for n, name in enumerate(names)],
        "traces.people": [{"work_id": "arxiv:hub", "position": 1, "name": "Ann ann@example.org", "role": "author"}],
        "influence.people": [{"person_id": "arxiv:hub#1", "name": "Ann ann@example.org", "works": 1}],
    }  # fmt: skip


def test_a_work_with_many_users_keeps_the_first_and_counts_the_rest() -> None:
    connection = catalog_of(one_hub(300))
    connection.execute("CREATE SCHEMA lake; CREATE TABLE lake.commits (table_name VARCHAR, date DATE)")
    connection.execute(f"INSERT INTO lake.commits VALUES ('x', DATE '{DAY}')")
    kinds = all_of(connection, DAY)
    hub = kinds["work"]["arxiv:hub"]
    assert len(hub["users"]) == MOST
    assert hub["used"] == {"cites": 300}
    assert hub["users"][0][0] == "arxiv:user-00299"  # the most influential
    assert kinds["work"]["doi:stub"]["stub"] is True
    assert kinds["work"]["doi:stub"]["users"][0][:1] == ["arxiv:hub"]
    assert "rank" not in kinds["work"]["doi:stub"]
    assert kinds["person"]["arxiv:hub#1"]["name"] == "Ann (an e-mail address)"
    assert hub["authors"] == [["arxiv:hub#1", "Ann (an e-mail address)"]]
    assert "example.org" not in orjson.dumps(kinds).decode()


def test_only_the_newest_days_are_in_a_history() -> None:
    days = [DAY - timedelta(days=number) for number in range(HISTORY + 5)]
    connection = catalog_of({
        "citations.nodes": [{"node_id": "arxiv:a", "node": 1, "date": days[-1]}],
        "traces.works": [{"work_id": "arxiv:a", "source": "arxiv", "date": days[-1]}],
        "influence.scores": [{"node_id": "arxiv:a", "influence": 1.0 * n, "date": day}
                             for n, day in enumerate(days) if n != 2],
    })  # fmt: skip
    connection.execute("CREATE SCHEMA lake; CREATE TABLE lake.commits (table_name VARCHAR, date DATE)")
    connection.executemany("INSERT INTO lake.commits VALUES ('x', ?)", [[day] for day in days])
    line = all_of(connection, DAY)["work"]["arxiv:a"]["history"][0]
    assert line == [*map(float, range(HISTORY - 1, 2, -1)), None, 1.0, 0.0]


def test_small_helpers() -> None:
    assert placed([0, 2], [1.23456789, 3], 4) == [1.23457, None, 3, None]
    assert filled({"a": None, "b": False, "c": [], "d": 0, "e": ""}) == {"d": 0, "e": ""}
    assert by_owner(pl.DataFrame({"a": ["x", "y", "x"], "b": [1, 2, 3]})) == {"x": [(1,), (3,)], "y": [(2,)]}
    assert short(None) is None
    assert people.named("a.b@c.org (A)") == "(an e-mail address) (A)"


def test_each_kind_has_a_page_that_loads_its_script() -> None:
    for module in (works, people, repositories, chambers):
        assert module.PAGE.name == module.RECORDS.kind
        assert f"{module.PAGE.name}.js" in module.PAGE.scripts
        assert not module.PAGE.in_navigation
