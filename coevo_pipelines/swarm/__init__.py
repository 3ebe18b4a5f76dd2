"""Swarm evolution: a simulation seeded from the day's graph, scores and rewards.

Works' organisms teach one another ways of doing things (clasp), mark ties as open decisions, predict and settle them,
and pay for all of it in lifeforce. Everything here is simulated and says so; no other stage reads it. The rooms:
seeding/ (graph to swarm), tick/ (the simulation), decisions/ (evidence, ladder, people), runs/ (without a lake).
"""
