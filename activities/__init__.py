"""One step of a workflow turned into calls on crm/, gmail/, delivery/ and storage/: thin, with collaborators injected."""
