"""Training the miniature models: parts that can be stopped at any step and go on from their checkpoint."""
