"""The operators' commands: `python -m starter --help`."""
