"""Healing hubs: places that restore something, what they publish, what worked, and what they need and offer.

The HTTP side is `scrapes/hubs.py`; how a data set enters the citation graph is said there too. Pages are in `report/`.
"""
