"""The harness: task files, plan, store, runner, scorers, statistics, records and the site."""
