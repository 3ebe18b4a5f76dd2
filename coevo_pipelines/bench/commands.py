"""`coevo bench …`."""

from __future__ import annotations

import typer

bench = typer.Typer(
    name="bench", no_args_is_help=True, help="Measure: synthetic worlds, and stages beside their peers."
)
