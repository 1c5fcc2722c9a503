"""What leaves otherwise than through Gmail: the SMTP provider and webhooks out."""
