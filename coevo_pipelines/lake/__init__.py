"""Where bytes live: table schemas, partition files, the commit ledger, verification, the DuckDB catalog.

Nothing here knows what a paper or a repository is, and nothing here imports Dagster.
"""
