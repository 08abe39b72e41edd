"""Random weights and synthetic data sets in the published formats, for rehearsals."""
