"""Neural collaborative filtering: the verifier predicts whether a user likes an image."""
