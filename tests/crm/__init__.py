"""Rules and repositories."""
