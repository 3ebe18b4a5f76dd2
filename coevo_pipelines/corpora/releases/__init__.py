"""A corpus as a folder that others can load, cite and check: shards, card, Croissant, attribution, digest chain."""
