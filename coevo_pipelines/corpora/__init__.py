"""Training corpora: for each model one, as its blueprint says, from the genome's files and the traces' texts, and only
for models that accepted. Here: blueprints, consent, what is left out and why, near-duplicates, packing into sequences,
releases with card and proofs, and continued training on them. Not here: fetching and packing repositories (genome/)."""
