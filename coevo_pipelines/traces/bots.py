"""Which accounts are programs, so that commits made by a machine earn nothing: a rule and a short list.

Three tests, each enough: GitHub calls the account a `Bot` (every GitHub App is one), its login ends in `[bot]`
(the form that GitHub gives to the logins of Apps), or it is in `WELL_KNOWN`: machine users that GitHub calls `User`.
A name that merely looks like a machine's (`talbot`, `bottleneck-dev`) proves nothing, so no pattern is used. What the
list misses is for a person to add; a row that is left out stays in `traces.contributions`, marked.
"""

from __future__ import annotations

from collections.abc import Mapping

_DEVSTATS = "CNCF DevStats, util_sql/exclude_bots.sql: https://github.com/cncf/devstats"
_SOURCECRED = "SourceCred, plugins/github/bots.js: https://github.com/sourcecred/sourcecred"
_PYTORCH = "PyTorch, tools/stats/upload_external_contrib_stats.py: https://github.com/pytorch/pytorch"

WELL_KNOWN: Mapping[str, str] = {
    "actions-user": "the account of commits made inside a workflow: "
    "https://github.com/akhilmhdh/contributors-readme-action/issues/17",
    "appveyorbot": _DEVSTATS,
    "asfgit": _DEVSTATS,
    "codecov-commenter": _SOURCECRED,
    "codecov-io": _DEVSTATS,
    "coveralls": _DEVSTATS,
    "dependabot": _DEVSTATS,
    "facebook-github-bot": _SOURCECRED,
    "fossabot": _DEVSTATS,
    "github-actions": _SOURCECRED,
    "gitter-badger": _SOURCECRED,
    "googlebot": _DEVSTATS,
    "goreleaserbot": _DEVSTATS,
    "greenkeeper": _SOURCECRED,
    "greenkeeperio-bot": _SOURCECRED,
    "imgbotapp": _DEVSTATS,
    "k8s-ci-robot": f"{_DEVSTATS} (its pattern k8s-%)",
    "metamaskbot": _SOURCECRED,
    "nodejs-github-bot": _SOURCECRED,
    "opentelemetrybot": _DEVSTATS,
    "pytorchbot": _PYTORCH,
    "pytorchmergebot": _PYTORCH,
    "pytorchupdatebot": _PYTORCH,
    "pyup-bot": f"{_DEVSTATS} (its pattern %-bot)",
    "renovate-bot": f"{_DEVSTATS} (its pattern %-bot)",
    "semantic-release-bot": f"{_DEVSTATS} (its pattern %-bot)",
    "snyk-bot": f"{_DEVSTATS} (its pattern %-bot)",
    "stickler-ci": _SOURCECRED,
    "tensorflow-jenkins": _SOURCECRED,
    "tensorflowbutler": _SOURCECRED,
    "transifex-integration": _SOURCECRED,
    "web-flow": _DEVSTATS,
}
"""Login in lower case -> who says that it is a program. All read in November 2026."""


def is_bot(login: str, account_type: str | None = None) -> bool:
    """True when the GitHub account of this login (and `type`, as the API gives it) is a program."""
    name = login.lower()
    return account_type == "Bot" or name.endswith("[bot]") or name in WELL_KNOWN
