"""Neural collaborative filtering: the verifier that says whether a user would like an item."""
