"""What leaves otherwise than through Gmail."""
