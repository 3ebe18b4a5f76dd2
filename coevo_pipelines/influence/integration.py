"""Integrative potential: how far apart are the fields that a work builds on, and the fields that build on it?

A work has one fixed field: its primary arXiv category, or the category that its first known topic, tag or subject
label stands for. Fields, because communities move from day to day. Two fields are as far apart as their citation
profiles differ. Not here: from which links and as of when; distances are computed from the links before the first
of the month, influence from all up to the day, and whoever calls hands them over.

Sources: A. Stirling 2007 (doi:10.1098/rsif.2007.0213) after C. R. Rao 1982 for the diversity; T. Leinster and
C. A. Cobbold 2012 (doi:10.1890/10-2402.1) for the effective number; I. Rafols and M. Meyer 2010
(doi:10.1007/s11192-009-0041-y) for distances between citation profiles. The composite is ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import ArrayLike, NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

MINIMUM = 3
"""Neighbours with a known field below which there is no integrative potential."""
DECIMALS = 6
NO_FIELD = -1
"""Field number of a work without a field."""

_TOPICS = {
    "cs.NE": "swarm-intelligence particle-swarm particle-swarm-optimization pso ant-colony ant-colony-optimization "
    "bee-colony artificial-bee-colony firefly-algorithm cuckoo-search bat-algorithm whale-optimization harmony-search "
    "differential-evolution genetic-algorithm genetic-algorithms genetic-programming cma-es evolution-strategies "
    "evolutionary-algorithm evolutionary-algorithms evolutionary-computation neuroevolution metaheuristic "
    "metaheuristics nature-inspired-algorithms multi-objective-optimization spiking-neural-networks "
    "metaheuristic-optimization-algorithms-research evolutionary-algorithms-and-applications "
    "advanced-multi-objective-optimization-algorithms",
    "cs.RO": "robotics robot robots swarm-robotics ros ros2 drones uav autonomous-vehicles slam motion-planning "
    "robotic-path-planning-algorithms modular-robots-and-swarm-intelligence",
    "cs.MA": "multi-agent multi-agent-systems multi-agent-reinforcement-learning agent-based-modeling",
    "cs.AI": "artificial-intelligence ai ai-agents knowledge-graph knowledge-representation planning expert-systems",
    "cs.LG": "machine-learning deep-learning reinforcement-learning deep-reinforcement-learning federated-learning "
    "graph-neural-networks neural-networks representation-learning tabular-classification tabular-regression "
    "time-series-forecasting hyperparameter-optimization automl",
    "cs.CV": "computer-vision image-classification image-segmentation image-to-image image-to-text image-text-to-text "
    "image-to-video object-detection text-to-image text-to-video unconditional-image-generation video-classification "
    "zero-shot-image-classification depth-estimation face-recognition",
    "cs.CL": "nlp natural-language-processing natural-language-processing-techniques computational-linguistics "
    "text-generation text2text-generation text-classification token-classification zero-shot-classification "
    "fill-mask translation machine-translation summarization question-answering sentence-similarity conversational "
    "llm llms large-language-model large-language-models language-model",
    "cs.IR": "information-retrieval recommender-system recommender-systems search-engine text-ranking",
    "cs.SI": "social-networks social-network-analysis network-science complex-networks community-detection",
    "cs.DC": "distributed-systems distributed-computing high-performance-computing parallel-computing",
    "cs.CR": "cryptography computer-security cybersecurity blockchain",
    "cs.SE": "software-engineering software-testing program-synthesis",
    "cs.DL": "bibliometrics scientometrics citation-analysis digital-libraries",
    "cs.HC": "human-computer-interaction",
    "cs.GR": "computer-graphics generative-art",
    "cs.GT": "game-theory mechanism-design",
    "cs.NI": "wireless-sensor-networks computer-networks internet-of-things",
    "cs.SD": "audio audio-classification text-to-audio music-generation music-information-retrieval",
    "eess.AS": "automatic-speech-recognition speech-recognition text-to-speech speech-synthesis",
    "eess.IV": "medical-imaging image-processing",
    "eess.SY": "control-systems control-theory distributed-control-multi-agent-systems",
    "math.OC": "optimization mathematical-optimization combinatorial-optimization convex-optimization "
    "constrained-optimization surrogate-optimization operations-research traveling-salesman",
    "nlin.AO": "collective-behavior collective-behaviour collective-motion self-organization self-organisation "
    "flocking boids complex-systems artificial-life emergence",
    "nlin.CG": "cellular-automata game-of-life",
    "q-bio.NC": "neuroscience computational-neuroscience",
    "q-bio.PE": "ecology population-dynamics",
    "q-bio.QM": "bioinformatics computational-biology",
    "quant-ph": "quantum-computing quantum-algorithms",
    "stat.ME": "statistics bayesian-inference causal-inference",
}
TOPIC_FIELDS: Mapping[str, str] = {topic: field for field, topics in _TOPICS.items() for topic in topics.split()}
"""Topic, tag or subject label -> arXiv category. Ours; a deployment adds to it (`TOPIC_FIELDS | its own`).

Only labels that say what a work is about; "python", "benchmark" or "transformers" say how it is made.
"""

_ONE_FIELD = {
    "cs.NA": "math.NA", "cs.SY": "eess.SY", "math.IT": "cs.IT", "math.MP": "math-ph", "q-fin.EC": "econ.GN",
    "stat.TH": "math.ST",
    "acc-phys": "physics.acc-ph", "adap-org": "nlin.AO", "alg-geom": "math.AG", "ao-sci": "physics.ao-ph",
    "atom-ph": "physics.atom-ph", "bayes-an": "physics.data-an", "chao-dyn": "nlin.CD", "chem-ph": "physics.chem-ph",
    "cmp-lg": "cs.CL", "comp-gas": "nlin.CG", "dg-ga": "math.DG", "funct-an": "math.FA",
    "mtrl-th": "cond-mat.mtrl-sci", "patt-sol": "nlin.PS", "plasm-ph": "physics.plasm-ph", "q-alg": "math.QA",
    "solv-int": "nlin.SI", "supr-con": "cond-mat.supr-con",
}  # fmt: skip
"""arXiv's own table of second names and of archives that became categories: one field must not count as two."""

_CATEGORY = re.compile(
    r"(?:astro-ph|cs|econ|eess|math|nlin|q-bio|q-fin|stat)\.[A-Z]{2}|(?:cond-mat|physics)\.[a-z]+(?:-[a-z]+)*|"
    r"astro-ph|cond-mat|gr-qc|hep-(?:ex|lat|ph|th)|math-ph|nucl-(?:ex|th)|q-bio|quant-ph|"
    + "|".join(old for old in _ONE_FIELD if "." not in old)
)


def field_of(works: pl.DataFrame, topic_fields: Mapping[str, str] = TOPIC_FIELDS) -> pl.Series:
    """The field of each work, in the order of the rows; null where nothing that it says about itself is known.

    `works` needs the list columns `fields` and `tags`. The first arXiv category among the fields wins (arXiv lists
    the primary one first); else the first label, fields before tags, that `topic_fields` knows. Labels are compared
    without case, and with blanks and underscores as hyphens: OpenAlex writes "Swarm intelligence" where GitHub
    writes "swarm-intelligence". A label mapped to "" is taken out.
    """
    import polars as pl

    known = {normal_label(label): field for label, field in topic_fields.items()}
    fields, tags = (_labels(works, column) for column in ("fields", "tags"))
    found = pl.concat([
        _translated(fields, _category),
        _translated(fields, lambda label: known.get(normal_label(label))),
        _translated(tags, lambda label: known.get(normal_label(label))),
    ])  # fmt: skip
    first = found.unique("row", keep="first", maintain_order=True)
    rows = pl.DataFrame({"row": pl.int_range(works.height, dtype=pl.Int64, eager=True)})
    return rows.join(first, "row", how="left", maintain_order="left")["field"]


def numbered(field: pl.Series) -> tuple[tuple[str, ...], Integers]:
    """The distinct fields in order of name, and for each work the place of its field in them; NO_FIELD where null."""
    import polars as pl

    names = field.drop_nulls().unique().sort().to_list()
    places = field.replace_strict(names, range(len(names)), default=NO_FIELD, return_dtype=pl.Int64)
    return tuple(names), places.fill_null(NO_FIELD).to_numpy().astype(np.int64)


def normal_label(label: str) -> str:
    """A label without case, with runs of blanks, underscores and hyphens as one hyphen."""
    return re.sub(r"[\s_-]+", "-", label.strip().casefold())


def _category(label: str) -> str | None:
    return _ONE_FIELD.get(label, label) if _CATEGORY.fullmatch(label) else None


def _labels(works: pl.DataFrame, column: str) -> pl.DataFrame:
    """(row, label), in the order of the rows and of the labels in each."""
    import polars as pl

    rows = works.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), pl.col(column).alias("label"))
    return rows.filter(pl.col("label").list.len() > 0).explode("label").drop_nulls("label")


def _translated(labels: pl.DataFrame, field_of_label: Callable[[str], str | None]) -> pl.DataFrame:
    """(row, field) of the labels that stand for a field. Each distinct label is looked at once."""
    import polars as pl

    distinct = labels["label"].unique().to_list()
    meant = {label: field for label in distinct if (field := field_of_label(label))}
    text = {"label": pl.String, "field": pl.String}
    table = pl.DataFrame({"label": list(meant), "field": list(meant.values())}, text)
    return labels.join(table, "label", maintain_order="left").select("row", "field")


@dataclass(frozen=True)
class Distances:
    """How far apart fields are.

    fields: k names in order. matrix: (k, k) float64, symmetric, 0 (one field, or equal profiles) to 1, a multiple
    of 1e-6. sha256: of the lines `field TAB other TAB distance` for the pairs of fields that have a profile, so
    that a field that first appears in the middle of a month does not change it.
    """

    fields: tuple[str, ...]
    matrix: Floats
    sha256: str


def distances(fields: Sequence[str], source_field: Integers, target_field: Integers) -> Distances:
    """1 minus the cosine similarity of the fields' citation profiles.

    A field's profile is the number of links between it and each field (itself too), citing and cited together. A
    field without links has distance 1 to every other. `source_field` and `target_field`: for each link the place of
    its ends' fields in `fields`, NO_FIELD where unknown. Counts are integers, so the order of links is irrelevant.
    Raises ValueError when `fields` are not distinct and in order, or a field number lies outside them.
    """
    if list(fields) != sorted(set(fields)):
        raise ValueError("fields must be distinct and in order")
    k = len(fields)
    known = (source_field != NO_FIELD) & (target_field != NO_FIELD)
    source, target = checked("field", k, source_field[known]), checked("field", k, target_field[known])
    citing = np.bincount(source * k + target, minlength=k * k).reshape(k, k)
    profiles = (citing + citing.T).astype(np.float64)
    # Sums of products of counts are whole numbers, exact in any order below 2^53: links by the ten million.
    products = profiles @ profiles
    lengths = np.sqrt(np.diagonal(products))
    profiled = lengths > 0
    both = np.outer(profiled, profiled)
    cosines = np.divide(products, np.outer(lengths, lengths), out=np.zeros((k, k)), where=both)
    matrix = np.round(np.clip(1.0 - cosines, 0.0, 1.0), DECIMALS)
    np.fill_diagonal(matrix, 0.0)
    return Distances(tuple(fields), matrix, _sha256(fields, matrix, profiled))


def _sha256(fields: Sequence[str], matrix: Floats, profiled: NDArray[np.bool_]) -> str:
    rows, columns = (places.tolist() for places in np.nonzero(np.triu(np.outer(profiled, profiled), 1)))
    lines = (f"{fields[i]}\t{fields[j]}\t{matrix[i, j]:.{DECIMALS}f}\n" for i, j in zip(rows, columns, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def rao_stirling(counts: ArrayLike, matrix: ArrayLike) -> Floats:
    """Δ = Σ over ordered pairs i≠j of d_ij p_i p_j, from 0 (one field) up; nan where nothing is counted.

    counts: (..., k), shares or numbers of works by field, not negative. matrix: (k, k), symmetric. Returns (...).
    """
    given = np.asarray(counts, dtype=np.float64)
    flat = given.reshape(-1, given.shape[-1])
    row, field = np.nonzero(flat)
    starts = _starts(row, len(flat))
    return _diversity(starts, field, flat[row, field], np.asarray(matrix, np.float64)).reshape(given.shape[:-1])


def effective_fields(delta: ArrayLike) -> Floats:
    """D = 1/(1-Δ): as diverse as D equally common fields at distance 1."""
    return 1.0 / (1.0 - np.asarray(delta, dtype=np.float64))


class Integration(NamedTuple):
    """Per work, each (works,). Out: the works that it builds on. In: the works that build on it.

    neighbours_*: int64, distinct neighbours with a known field. delta_*: float64, Rao-Stirling diversity of their
    fields; nan without any. ip: float64, integrative potential; nan below the minimum of neighbours in all.
    """

    neighbours_out: Integers
    neighbours_in: Integers
    delta_out: Floats
    delta_in: Floats
    ip: Floats


def integrative_potential(
    source: Integers, target: Integers, field: Integers, matrix: Floats, *, minimum: int = MINIMUM
) -> Integration:
    """IP = 1 - √((1-Δ_in)(1-Δ_out)), a side without neighbours counted as Δ = 0.

    source, target: (links,) work numbers, the user and the work used; several links of one pair count once. field:
    (works,) place of each work's field in the matrix, NO_FIELD where unknown. matrix: (k, k) distances. A work that
    builds on one that builds on it has a neighbour on each side. Raises ValueError for a number out of range.
    """
    outward, delta_out = _side(source, target, field, matrix)
    inward, delta_in = _side(target, source, field, matrix)
    similar = (1.0 - np.nan_to_num(delta_in)) * (1.0 - np.nan_to_num(delta_out))
    ip = np.where(outward + inward >= minimum, 1.0 - np.sqrt(similar), np.nan)
    return Integration(outward, inward, delta_out, delta_in, ip)


def _side(work: Integers, neighbour: Integers, field: Integers, matrix: Floats) -> tuple[Integers, Floats]:
    """For each work the number of its neighbours with a field, and the diversity of these fields."""
    works, k = field.size, max(len(matrix), 1)
    work, neighbour = distinct_pairs(works, work, neighbour)
    fields = field[neighbour]
    labelled = fields != NO_FIELD
    work, fields = work[labelled], checked("field", len(matrix), fields[labelled])
    cells, counts = _counted(work * k + fields)
    owner, of_cell = np.divmod(cells, k)
    delta = _diversity(_starts(owner, works), of_cell, counts.astype(np.float64), matrix)
    return np.bincount(work, minlength=works).astype(np.int64), delta


def distinct_pairs(works: int, one: Integers, other: Integers) -> tuple[Integers, Integers]:
    """The distinct pairs of works 0..works-1, in order of `one`, then `other`. Raises ValueError for other numbers."""
    pairs, _ = _counted(checked("work", works, one) * works + checked("work", works, other))
    first, second = np.divmod(pairs, max(works, 1))
    return first, second


def _counted(values: Integers) -> tuple[Integers, Integers]:
    """The distinct values in order, and how often each occurs."""
    # Not np.unique: on ten million integers it took 13 s, sorting and comparing 0.5 s (numpy 2.4).
    ordered = np.sort(values)
    new = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    return ordered[new], np.diff(new, append=ordered.size)


def _starts(rows: Integers, number: int) -> Integers:
    """Where each of the rows 0..number-1 begins among the sorted `rows`, and where the last one ends."""
    return np.searchsorted(rows, np.arange(number + 1)).astype(np.int64)


def checked(what: str, number: int, given: Integers) -> Integers:
    """The given numbers of a `what`. Raises ValueError when one lies outside 0..number-1."""
    if given.size and not 0 <= int(given.min()) <= int(given.max()) < number:
        raise ValueError(f"{what} numbers must lie in 0..{number - 1}, found {given.min()}..{given.max()}")
    return given


def _diversity(starts: Integers, fields: Integers, counts: Floats, matrix: Floats) -> Floats:
    delta = np.full(starts.size - 1, np.nan)
    _sum_pairs(starts, fields, counts, matrix, delta)
    return delta


@kernel
def _sum_pairs(starts: Integers, fields: Integers, counts: Floats, matrix: Floats, delta: Floats) -> None:
    """Σ d_ij p_i p_j of each row; every pair of a row's fields is added once, in order of field."""
    for row in range(starts.size - 1):
        total = 0.0
        apart = 0.0
        for i in range(starts[row], starts[row + 1]):
            total += counts[i]
            for j in range(starts[row], i):
                apart += matrix[fields[i], fields[j]] * counts[i] * counts[j]
        if total > 0.0:
            delta[row] = 2.0 * apart / (total * total)
