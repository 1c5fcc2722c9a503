"""An emulator of Gmail, People, Google's OAuth and Pub/Sub push: its own process, spoken to only over HTTP."""
