"""The embedded parts of make up: PostgreSQL, Temporal server, Gmail emulator, SMTP catcher. Product code never imports it."""
