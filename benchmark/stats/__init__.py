"""Statistics with users as the unit; numpy and scipy only. Explained in docs/explanation/statistics.md."""
