"""Blob store, encryption of tokens, database sessions."""
