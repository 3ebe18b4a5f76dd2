"""The pages a person looks at: tables of the catalog in, one folder of static HTML a day out, which opens from disk.

Here: what a number looks like to a reader, where it leads, and lists of works that others can include. Not here: any
number that no table has, and the computing of scores.
"""
