"""One module a page of the report: what it asks the catalog, and what it says of the answers.

Here: questions in SQL and HTML made of their rows. Not here: how answers are fetched and pages written (build.py), and
what all pages share (html.py, links.py, charts.py).
"""
