"""One run of a task, from the task file to the records."""
