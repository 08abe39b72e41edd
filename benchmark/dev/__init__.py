"""Random weights and synthetic data sets in the published formats, for rehearsals; the stages of a run one by one."""
