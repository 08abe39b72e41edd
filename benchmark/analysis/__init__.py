"""What was measured becomes numbers: one pure function for a run and for `verify`."""
