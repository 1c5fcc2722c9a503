"""The embedded parts: they start, stay, and leave nothing behind."""
