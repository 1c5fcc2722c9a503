"""RFC 5322 and MIME: parse, compose, classify, split replies, sanitise. Pure: no I/O, no imports from other rooms."""
