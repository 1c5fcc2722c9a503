"""The methods of the Gmail and People APIs, one file per resource."""
