"""Neural collaborative filtering: the verifier that says whether a person would like a picture."""
