"""What a leaderboard shows, read from records."""
