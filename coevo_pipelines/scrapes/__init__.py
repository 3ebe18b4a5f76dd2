"""What to ask each service, how to keep what it answers, and how to read one answer.

One module a source, each with the same two functions: `fetch(scrape)` asks for a day, `parse(exchange,
traces)` reads one stored answer. `session.py` is the one way to the network, `exchange.py` the stored form,
`sources.py` the list. What an answer *means* across sources (sameness, the graph) belongs to later stages.
"""
