"""The diffusion prior over image embeddings, conditioned on a person and a rating."""
