"""Measuring: synthetic worlds of any size, and the stages timed beside the tools that people know.

Here: what `coevo bench` runs. Not here: tests; nothing in this room decides whether a build is good.
"""
