"""What a task leaves behind: the schema, the files, and the check of every number."""
