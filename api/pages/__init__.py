"""The web pages for sales people: settings, conversations, and what synced and why."""
