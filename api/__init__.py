"""HTTP: routes per resource, keys, problem documents, events, and the web pages."""
