"""Google: consent, the Gmail and People calls that we use, error classes, quota, push verification."""
