"""Nyx's lifeforce over time: when she sleeps, and when she wakes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from coevo_pipelines.swarm.config import Config


@dataclass
class Nyx:
    """Mode and moving averages; the balance is in the ledger."""

    mode: Literal["AWAKE", "SLUMBER"] = "AWAKE"
    income: float | None = None
    requested: float | None = None
    """Averages in thousandths of one LF a tick; None before the first tick."""
    asleep_since: int | None = None

    def note(self, income: int, requested: int, span: int) -> None:
        """Take a tick into the averages: exponential, alpha = 2 / (span + 1), begun with the first value."""
        alpha = 2 / (span + 1)
        self.income = float(income) if self.income is None else self.income + alpha * (income - self.income)
        self.requested = (
            float(requested) if self.requested is None else self.requested + alpha * (requested - self.requested)
        )

    @property
    def ratio(self) -> float:
        """lambda: income over requested expense; infinite where nothing was requested."""
        return (self.income or 0.0) / self.requested if self.requested else math.inf

    def tires(self, balance: int, urgent: bool, config: Config) -> bool:
        """Whether slumber begins. urgent: a critical decision is older than it may be."""
        low = self.ratio < config.sleep_lambda and balance < config.sleep_share * config.nyx_most and not urgent
        return low or balance < config.sleep_floor * config.nyx_most

    def wakes(self, balance: int, urgent: bool, tick: int, config: Config) -> bool:
        """Whether slumber ends."""
        rested = self.ratio > config.wake_lambda and balance > config.wake_share * config.nyx_most
        return rested or urgent or tick - (self.asleep_since or 0) >= config.most_slumber
