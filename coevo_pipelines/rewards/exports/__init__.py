"""Payouts of a paid round in the formats of the systems that pay: Safe, Disperse, Drips, GitHub Sponsors, Open
Collective, Merkle claims. Each module says where its format is documented. Nothing here pays, signs or sends."""
