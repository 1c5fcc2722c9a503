"""Activities on a real PostgreSQL and the Gmail emulator."""
