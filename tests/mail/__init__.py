"""The mail room: parsing, composing, classifying, sanitising."""
