"""What the worst submission can do to a leaderboard: adversaries, run as generators of a task.

:mod:`~benchmark.stress.stressed_task` adds them and the defences to a task, :mod:`~benchmark.stress.table` reads the
records of its run.
"""
