"""What a world is like: shares of works or of references, each with the reason for its size.

Ask for them by the module's name (`shares.DOUBLE`), so that a test that makes the rare frequent does so everywhere.
What holds for one sort of works or references alone is in `kinds.py`, whom references go to in `attachment.py`.
"""

from __future__ import annotations

DAILY_SHARE = 0.000434
"""A day's inflow as a share of all works: what the growth of papers gives for the day after fifteen years."""

LEAST_DAILY = 20
"""In a small world that would be nothing: at least so many works a day, while half of all stay history."""

WEEKDAYS = (1.1, 1.15, 1.15, 1.1, 1.05, 0.75, 0.7)
"""Monday to Sunday: fewer papers and repositories appear on weekends."""

DOUBLE = 0.04
"""References said a second time, under another name of the target or by another source: lists and READMEs overlap."""

LATER = 0.05
"""References of a repository that stand in it only from its first update on."""

UPDATED = 0.004
"""Repositories pushed to on a day; each says all its references again, as a scrape of its files does."""

TO_ITSELF = 0.0003
TO_FAR_NEWER = 0.0006
TO_COMING = 0.0006
"""Dirt: links to oneself; to works of years later (a page of today read as of its first day), which quarantine is
for; to works that appear on a later day of the world."""

VIA = (0.15, 0.5)
"""Papers on arXiv alone, and on arXiv with a record of OpenAlex; the rest has the record alone."""

WITH_DOI = (0.35, 0.4, 0.85)
"""Papers with a DOI, for these three: arXiv knows it for those that a journal took, OpenAlex for most."""

RECORD_DELAY = 60
"""Days until OpenAlex has a paper of arXiv, at most; half within a quarter of that."""

LATE_LINK = 0.02
LATE_LINK_DAYS = 5
"""Records that are told to be a paper's only some days later, and within how many: two nodes become one."""

LET_GO = 0.002
"""Papers whose DOI is taken back on a later day: journals do correct their metadata, rarely."""

WITHOUT_OWNER = 0.01
"""Hub entries from before every name had an account in front."""

WITH_ORCID = 0.55
TEAM_SIZES = (0.14, 0.19, 0.19, 0.16, 0.12, 0.08, 0.05, 0.03, 0.02, 0.02)
"""Teams of 1 to 10 authors: the mean is 3.9, as on arXiv."""

UNSEEN = 0.25
RECONSTRUCTED_EVERY = 7
LATE_HOURS = 72
"""Pages of the opening that were asked for too late, and every which day was: their counters are null."""

REJECTED = 0.002
ODD_TITLE = 0.01
PAGE = 100
"""Works in one raw answer."""
