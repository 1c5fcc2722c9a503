"""Random lives of a location against a small model of the specification, on the whole running system."""
