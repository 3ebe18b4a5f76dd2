"""Linkbacks: a topic's works as lists that a repository includes, to mention what it stands on.

Here: which works are listed, and the formats. Not here: reading such lists back from repositories (traces/).
"""
