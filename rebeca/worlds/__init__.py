"""Made worlds, in which everybody's taste is known."""
