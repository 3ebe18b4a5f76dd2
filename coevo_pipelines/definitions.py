"""The one file that Dagster loads: the stages in the order that data flows, the job, the schedule."""

import dagster as dg

from coevo_pipelines.citations.assets import citation_assets
from coevo_pipelines.corpora.assets import corpus_assets
from coevo_pipelines.genome.assets import genome_assets
from coevo_pipelines.hubs.assets import hub_assets
from coevo_pipelines.influence.assets import influence_assets
from coevo_pipelines.lake.assets import catalog_asset
from coevo_pipelines.orchestration.describing import described
from coevo_pipelines.orchestration.jobs import daily_schedule, daily_snapshot
from coevo_pipelines.report.assets import report_asset
from coevo_pipelines.rewards.assets import reward_assets
from coevo_pipelines.scrapes.assets import scrape_assets
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.swarm.assets import review_sensor, swarm_assets
from coevo_pipelines.traces.assets import trace_assets


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything, for the given settings."""
    job = daily_snapshot(settings)
    stages = [
        *scrape_assets(settings),
        trace_assets(settings),
        citation_assets(settings),
        influence_assets(settings),
        reward_assets(settings),
        *genome_assets(settings),
        *corpus_assets(settings),
        hub_assets(settings),
        *swarm_assets(settings),
        catalog_asset(settings),
        report_asset(settings),
    ]
    return dg.Definitions(
        assets=dg.map_asset_specs(described(settings), stages),
        jobs=[job],
        schedules=[daily_schedule(job, settings)],
        sensors=[review_sensor(settings)],
        # A day is a dozen small steps: an interpreter start for each would cost more than the work.
        executor=dg.in_process_executor if settings.executor == "in_process" else dg.multiprocess_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What the Dagster UI, daemon and `dg` load; built when they ask, not when this file is imported."""
    return build_definitions(load_settings())
