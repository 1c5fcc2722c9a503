"""What happens in which order, how long to wait, when to give up: one file per workflow."""
