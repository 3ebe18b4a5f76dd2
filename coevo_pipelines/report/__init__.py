"""The pages a person looks at: frames of the lake in, one HTML file out, with nothing to load and nothing that runs.

Here: what a table looks like to a reader. Not here: any number that no table has, reading or writing files, and
pictures that belong to one stage's own answer (those stay beside the numbers they show).
"""
