"""Every number of the simulation. The configuration is hashed into every row (`Config.hash`)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.lake.schemas import SWARM_TIERS

STATE = ("swarm.organisms", "swarm.cells", "swarm.versions", "swarm.checkpoints")
"""Tables that a day goes on from."""
MILLI = 1000
"""Thousandths of one LF: amounts are whole numbers of them."""

Importance = Literal["critical", "standard", "experimental"]
Protocol = Literal["mark_continue", "freeze"]
Distribution = Literal["broadcast", "lovechild", "organic"]
Winner = Literal["teacher", "student", "hybrid"]

IMPORTANCES: tuple[Importance, ...] = get_args(Importance)
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
"""From the widest to the narrowest."""
TIERS = SWARM_TIERS
"""By number; see `Tier`."""

Chance = Annotated[float, Field(ge=0, le=1)]
Milli = Annotated[int, Field(ge=0, le=10**9)]
"""At most a million LF: what 10^6 organisms get of it in thousands of ticks still is below 2^63."""


class Tier(BaseModel):
    """What an organism of a tier gets, may and does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    income: Milli = Field(description="thousandths of one LF a tick")
    teach_rank: int = Field(ge=0, description="the larger one teaches")
    consider: Chance = Field(description="chance to take up a pattern that a student discovered (u)")
    explore: Chance = Field(description="part of the usual rate at which a cell at -1 is tried")


class Config(BaseModel):
    """The simulation's parameters. Amounts of lifeforce are in thousandths of one LF, times in ticks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # clasps
    clasp_rate: Chance = Field(default=0.04, description="of the possible pairs, how many clasp in a tick")
    inside: Chance = Field(default=0.9, description="chance that the partner is of the same community")
    clasp_cost: Milli = Field(default=250, description="each of the two pays")
    novelty_bonus: Chance = Field(default=0.1, description="added to the tier's `consider`")
    discovery_ticks: int = Field(default=50, ge=0, description="for how long a discovery counts as recent")
    upward: Literal["absent", "full"] = Field(
        default="absent", description="full: a student's +1 also overwrites its teacher's 0 and -1"
    )
    identity: bool = Field(default=True, description="false: the literal seed, where equal versions are a tie too")

    # tiers
    young: Tier = Tier(income=300, teach_rank=0, consider=0.9, explore=0.10)
    adult: Tier = Tier(income=300, teach_rank=1, consider=0.5, explore=0.05)
    elder: Tier = Tier(income=300, teach_rank=3, consider=0.2, explore=0.02)
    love_child: Tier = Tier(income=450, teach_rank=2, consider=0.8, explore=0.10)
    adult_age: int = Field(default=100, ge=0, description="from which a young one is adult")
    elder_age: int = Field(default=500, ge=0, description="an elder is at least so old")
    elder_verifications: int = Field(default=100, ge=0, description="and has at least so many")
    elder_percentile: float = Field(default=90.0, ge=0, le=100, description="of all organisms' verifications")

    # life
    churn: Chance = Field(default=0.001, description="chance a tick to be replaced by a young one")
    dormant_below: Milli = Field(default=250, description="less lifeforce than this: no clasp")
    newborn_lf: Milli = Field(default=100_000, description="what a newborn is given")

    # use
    use_rate: Chance = Field(default=0.05, description="chance a tick that a cell is used")
    uncertain_factor: float = Field(default=3.0, ge=0, description="times that, while an uncertain tie is open")
    most_trials: int = Field(default=60, ge=2, le=127, description="own trials of a cell are halved when so many")
    rise: Chance = Field(default=0.9, description="g from which a cell becomes +1")
    fall: Chance = Field(default=0.1, description="g down to which a cell becomes -1")
    reflex_verifications: int = Field(default=100, ge=0, description="of a cell, from which it can be a reflex")
    reflex_rate: Chance = Field(default=0.8, description="least part of its trials that succeeded, for a reflex")

    # decision markers
    protocol: Protocol = Field(
        default="mark_continue", description="mark_continue: both sides work on; freeze: both wait at 0"
    )
    evidence: Literal["hist_live", "live", "verifications"] = Field(
        default="hist_live", description="what q is made of: history and outcomes since; those alone; own verifications"
    )
    cap: int = Field(default=4, ge=0, description="most open markers of one pattern")
    min_wait: int = Field(default=15, ge=0, description="a younger marker is not decided")
    max_wait: int = Field(default=200, ge=0, description="an older one is, beyond the attention budget")
    hybrid_within: Chance = Field(default=0.05, description="|q - 1/2| below this: both keep their versions")
    success_reward: Milli = Field(default=1000, description="for a success while marked")
    resolution_reward: Milli = Field(default=5000, description="for the version that won")

    # escalation
    strict_seed: bool = Field(default=False, description="the literal rule, where experimental is tested last")
    level_costs: tuple[Milli, Milli, Milli, Milli] = Field(
        default=(5_000, 20_000, 50_000, 100_000), description="of levels 2 to 5, charged to Nyx on entering each"
    )
    precedent_weight: float = Field(default=0.5, ge=0, description="level 3: what a past decision's counts weigh")
    standin_confidence: Chance = Field(default=0.75, description="level 4: least confidence of the human's stand-in")
    importance: dict[str, Importance] = Field(default_factory=dict, description="of patterns; others: standard")
    ethical: tuple[str, ...] = Field(default=(), description="patterns that go straight to level 4")
    architecture: tuple[str, ...] = Field(default=(), description="patterns that go straight to level 5")
    review_ticks: int = Field(default=365, ge=1, description="an open review item expires after this")

    # distribution
    distribution: dict[Importance, Distribution] = Field(
        default={"critical": "broadcast", "standard": "lovechild", "experimental": "organic"},
        description="how a winner spreads: to all, to the love children, by clasps alone",
    )
    broadcast_cost: Milli = Field(default=20_000, description="charged to Nyx")
    seed_cost: Milli = Field(default=500, description="for each love child")

    # Nyx
    nyx_start: Milli = Field(default=500_000, description="what she begins with")
    nyx_most: Milli = Field(default=1_000_000, description="most that she can hold")
    nyx_upkeep: Milli = Field(default=3_000, description="a tick, awake")
    nyx_income: Milli = Field(default=50, description="a tick for each organism; twice that in slumber")
    attention_budget: int = Field(default=6, ge=0, description="decisions a tick")
    decide_from: Milli = Field(default=30_000, description="least lifeforce for a decision")
    ema_span: int = Field(default=10, ge=1, description="span of the moving averages: alpha = 2 / (span + 1)")
    sleep_lambda: float = Field(default=0.7, ge=0, description="income over requested expense, below which she sleeps")
    sleep_share: Chance = Field(default=0.2, description="of nyx_most")
    sleep_floor: Chance = Field(default=0.05, description="of nyx_most: below, sleep whatever lambda is")
    wake_lambda: float = Field(default=1.2, ge=0, description="the same, above which she wakes")
    wake_share: Chance = Field(default=0.5, description="of nyx_most")
    most_slumber: int = Field(default=100, ge=1, description="ticks, then she wakes whatever she has")

    # predictions
    rewards: Literal["seed", "proper"] = Field(default="proper", description="how predictions are paid")
    scored_on: Literal["post_prediction", "all_evidence"] | None = Field(
        default=None, description="default: all evidence in seed mode, later outcomes only in proper mode"
    )
    fewest_outcomes: int = Field(default=3, ge=1, description="of each side, to be scored on later outcomes")
    horizon: int = Field(default=100, ge=1, description="ticks that a prediction looks ahead")

    @model_validator(mode="before")
    @classmethod
    def _tables_in_part(cls, given: Any) -> Any:
        """Of a tier or of the distribution only what differs need be named."""
        if not isinstance(given, dict):
            return given
        usual = {name: field.default for name, field in cls.model_fields.items()}
        tables = {name: each for name, each in given.items() if isinstance(each, dict)}
        merged = {
            name: {**(usual[name].model_dump() if isinstance(usual[name], Tier) else usual[name]), **each}
            for name, each in tables.items()
            if isinstance(usual.get(name), Tier | dict)
        }
        return {**given, **merged}

    @model_validator(mode="after")
    def _possible(self) -> Config:
        if self.max_wait < self.min_wait:
            raise ValueError(f"max_wait {self.max_wait} is below min_wait {self.min_wait}: nothing could be decided")
        if self.fall >= self.rise:
            raise ValueError(f"fall {self.fall} is not below rise {self.rise}: a cell would have two weights")
        if self.nyx_start > self.nyx_most:
            raise ValueError(f"nyx_start {self.nyx_start} is above nyx_most {self.nyx_most}: she can hold no more")
        if missing := [each for each in IMPORTANCES if each not in self.distribution]:
            raise ValueError(f"distribution has no entry for {missing[0]}")
        return self

    @property
    def tiers(self) -> tuple[Tier, Tier, Tier, Tier]:
        """In the order of `TIERS`."""
        return self.young, self.adult, self.elder, self.love_child

    @property
    def prediction_scored_on(self) -> Literal["post_prediction", "all_evidence"]:
        return self.scored_on or ("all_evidence" if self.rewards == "seed" else "post_prediction")

    @property
    def hash(self) -> str:
        """SHA-256 over all fields as canonical JSON, hex."""
        return hashlib.sha256(canonical(self.model_dump(mode="json"))).hexdigest()

    def importance_of(self, pattern: str) -> Importance:
        return self.importance.get(pattern, "standard")


class Outcome(BaseModel):
    """One use of a version by one side of a marker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tick: int
    organism_id: str
    success: bool
    context: str
    """Canonical JSON: what else was so. Associational, not randomised."""
    source: Literal["observed", "simulated"]


class Provenance(BaseModel):
    """What every row says about where it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    config_hash: str
    seed: int
    inputs: str
    """SHA-256 over the data versions read; empty without a lake."""
    code_version: str


class Moment(BaseModel):
    """A tick and what it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tick: int
    at: datetime
    partition: str
    """The day, YYYY-MM-DD."""
