"""Documents into token sequences: tokenizer, templates, splits, budget, packing."""
