"""The simulation itself: arrays, the book of lifeforce, and one module a phase of the tick.

What the tick decides with (evidence, ladder, minds) is in decisions/; nothing here knows a lake or a folder.
"""
