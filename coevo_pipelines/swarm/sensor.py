"""What happens when a person has decided: the swarm's last day is made again with it."""

import dagster as dg

from coevo_pipelines.lake.assets import KEY as CATALOG
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings
from coevo_pipelines.swarm.assets import METRICS, REVIEWS, decisions_version

DATA_VERSION_TAG = "dagster/data_version"


def review_sensor(settings: Settings) -> dg.SensorDefinition:
    """Looks at the file of decisions. Off until it is turned on in the UI."""

    @dg.sensor(
        name="reviews_decided",
        target=dg.AssetSelection.groups("swarm") | dg.AssetSelection.assets(CATALOG),
        minimum_interval_seconds=60,
        description="Makes the swarm's last day again when a person has decided: decisions of that day are taken anew, "
        "those of earlier days are corrected on its first tick.",
    )
    def reviews_decided(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        version = decisions_version(settings.lake_root)
        if version == (context.cursor or decisions_version(settings.lake_root / "nowhere")):
            return dg.SkipReason("nobody has decided anything since the last look")
        days = [commit.date for commit in open_lake(settings).snapshot().index.partitions(METRICS)]
        if not days:
            return dg.SkipReason("there is no day of the swarm yet")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=version, partition_key=max(days))],
            asset_events=[dg.AssetObservation(REVIEWS, tags={DATA_VERSION_TAG: version})],
            cursor=version,
        )

    return reviews_decided
