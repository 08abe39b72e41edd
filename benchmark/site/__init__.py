"""The leaderboard as a static site, built from records."""
