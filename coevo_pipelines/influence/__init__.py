"""Who influences whom: influence and inflow, integrative potential, chambers, lattice, and what people get of it.

Here: numbers on the graph as of a day, and the same for anyone's edge list. Not here: how the graph is made
(citations), and what is paid for a number (rewards).
"""
