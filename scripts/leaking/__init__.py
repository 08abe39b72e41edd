"""A generator that knows the held-out ratings of one split, as a plug-in: what `reproduce --split-seed` must catch."""
