"""Simulations of made-up worlds in a folder of their own: run, resumed, compared. No lake."""
