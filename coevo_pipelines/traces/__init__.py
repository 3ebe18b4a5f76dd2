"""What the raw exchanges say, in one vocabulary: works, references, counters, people, identities, who claims what,
who is paid where, who wants no part, who did how much, and rejects.

`identifiers.py` gives every work one canonical prefixed name, `records.py` is what a source's parser fills,
`normalize.py` turns a day of exchanges into frames; `register.py`, `funding.py` and `bots.py` read what rewards
stand on. Asking the services is not done here, and neither is deciding which identifiers are the same work (that is
`citations`).
"""
