"""What the raw exchanges say, in one vocabulary: works, references, counters, people, identities, rejects.

`identifiers.py` gives every work one canonical prefixed name, `records.py` is what a source's parser fills,
`normalize.py` turns a day of exchanges into frames. Asking the services is not done here, and neither is
deciding which identifiers are the same work (that is `citations`).
"""
