"""One step of a workflow turned into calls on the rooms below: thin, with collaborators injected."""
