"""Task files: reading, checking, resolving, and the names of plug-ins."""
