"""The diffusion prior over image embeddings, conditioned on a user and a rating."""
