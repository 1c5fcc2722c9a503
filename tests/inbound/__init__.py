"""The SMTP listener with a real SMTP client, PostgreSQL and blob store."""
