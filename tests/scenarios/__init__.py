"""Stories in the product's words, on the real stack."""
