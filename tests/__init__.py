"""The suite mirrors the rooms; tests/scenarios drives the whole stack."""
