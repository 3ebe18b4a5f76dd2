"""How a tie is decided: evidence, predictions and their rewards, the ladder, minds behind endpoints, people.

Pure arithmetic and records; what a decision does to the swarm is in tick/.
"""
