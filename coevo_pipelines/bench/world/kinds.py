"""The sorts of works, of references and of fields in a world, and how frequent each is."""

from __future__ import annotations

from dataclasses import dataclass

from coevo_pipelines.bench.world.shape import GROWTH


@dataclass(frozen=True)
class Kind:
    """One of schemas.KINDS. share: of all works. rows: references a work. growth: monthly. months: of history."""

    name: str
    share: float
    rows: float
    growth: float
    months: int


# Papers and repositories are what a topic's search finds most of. The Hub keeps dates since 2022-03-02 (46 months
# before 2026) and doubles yearly; it holds about three models for each data set and each space.
KINDS = (
    Kind("paper", 0.62, 12.0, GROWTH, 180),
    Kind("repository", 0.18, 8.0, 1.0145, 180),
    Kind("model", 0.12, 2.5, 1.0595, 46),
    Kind("dataset", 0.04, 1.5, 1.0595, 46),
    Kind("space", 0.04, 1.8, 1.0595, 46),
)
PAPER, REPOSITORY, MODEL, DATASET, SPACE = range(5)
ARXIV, GITHUB, HUGGINGFACE, OPENALEX = range(4)

ON_ARXIV, ON_BOTH, ON_OPENALEX, NO_PAPER = range(4)


@dataclass(frozen=True)
class Link:
    """References of one sort. share: of those of the source's kind. outside: to works that never appear."""

    kind: int
    relation: str
    target: int
    share: float
    outside: float
    evidence: str
    own: float = 0.0


PACKAGE = 5
# Outside: a paper's list leaves the topic for a fifth here (in life for more, but then there is little graph to
# measure); packages are never works; base models and data sets often belong to somebody whom no topic follows.
# Own: a tenth of citations are by an author of the cited work; on the Hub people quantize their own models.
LINKS = (
    Link(PAPER, "cites", PAPER, 1.0, 0.2, "referenced_works[{}]", 0.1),
    Link(REPOSITORY, "depends_on", PACKAGE, 0.45, 1.0, "requirements.txt line {}"),
    Link(REPOSITORY, "mentions", REPOSITORY, 0.2, 0.3, "README.md line {}", 0.15),
    Link(REPOSITORY, "mentions", PAPER, 0.15, 0.15, "README.md line {}"),
    Link(REPOSITORY, "cites", PAPER, 0.12, 0.15, "CITATION.cff line {}"),
    Link(REPOSITORY, "derives_from", REPOSITORY, 0.08, 0.3, "repository: fork parent {}", 0.05),
    Link(MODEL, "derives_from", MODEL, 0.4, 0.35, "card base_model[{}]", 0.3),
    Link(MODEL, "trained_on", DATASET, 0.28, 0.3, "card datasets[{}]"),
    Link(MODEL, "cites", PAPER, 0.24, 0.2, "tag arxiv[{}]"),
    Link(MODEL, "mentions", REPOSITORY, 0.08, 0.3, "README.md line {}"),
    Link(DATASET, "derives_from", DATASET, 0.35, 0.3, "tag dataset[{}]", 0.2),
    Link(DATASET, "cites", PAPER, 0.4, 0.2, "tag arxiv[{}]"),
    Link(DATASET, "mentions", REPOSITORY, 0.25, 0.3, "README.md line {}"),
    Link(SPACE, "mentions", MODEL, 0.5, 0.2, "README.md line {}"),
    Link(SPACE, "trained_on", DATASET, 0.15, 0.3, "card datasets[{}]"),
    Link(SPACE, "depends_on", PACKAGE, 0.35, 1.0, "requirements.txt line {}"),
)

SAID_TWICE = "comment: reference {}"

# Share of papers, and of code and models, by field; the number is the group that mostly cites itself.
CATEGORIES = (
    ("cs.LG", 0.12, 0.3, 0), ("cs.CV", 0.09, 0.2, 0), ("cs.CL", 0.08, 0.22, 0), ("cs.AI", 0.06, 0.06, 0),
    ("stat.ML", 0.03, 0.02, 0), ("cs.NE", 0.02, 0.03, 0), ("cs.RO", 0.04, 0.04, 1), ("cs.CR", 0.03, 0.02, 1),
    ("cs.DC", 0.02, 0.03, 1), ("cs.SE", 0.02, 0.03, 1), ("eess.SP", 0.04, 0.01, 1), ("math.OC", 0.04, 0.01, 2),
    ("math.AP", 0.06, 0.0, 2), ("math.CO", 0.05, 0.0, 2), ("cond-mat.soft", 0.04, 0.0, 3),
    ("cond-mat.mtrl-sci", 0.05, 0.005, 3), ("quant-ph", 0.06, 0.005, 3), ("physics.optics", 0.03, 0.0, 3),
    ("hep-ph", 0.03, 0.0, 4), ("astro-ph.GA", 0.05, 0.0, 4), ("q-bio.PE", 0.02, 0.01, 5), ("econ.EM", 0.02, 0.01, 5),
)  # fmt: skip
PULL = (
    (0.82, 0.1, 0.03, 0.02, 0.01, 0.02),
    (0.28, 0.64, 0.04, 0.02, 0.0, 0.02),
    (0.06, 0.05, 0.83, 0.04, 0.01, 0.01),
    (0.05, 0.02, 0.04, 0.8, 0.07, 0.02),
    (0.02, 0.01, 0.03, 0.09, 0.84, 0.01),
    (0.14, 0.05, 0.06, 0.05, 0.01, 0.69),
)
"""Row: the group that cites; column: the group that is cited. Fields cite themselves and machine learning."""
