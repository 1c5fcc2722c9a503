"""The SMTP listener: auto-BCC and returned campaign mail."""
