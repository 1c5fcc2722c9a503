"""Our side of Google: against a server that says what a test tells it, and against the Gmail emulator."""
