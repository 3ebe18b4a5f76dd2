"""The bundled offline world: facts of real works on swarm intelligence, and a server that answers from them.

`facts/` holds identifiers, titles, names, dates and references (see facts/PROVENANCE.md; what had to be
composed is marked there and in the files), `world.py` looks things up in them, `server.py` speaks the
services' formats on 127.0.0.1 and gives out the register of claims, which is composed. Nothing outside this folder
knows that the sample exists, except the setting.
"""
