"""The rules of the product as pure functions over values, and the repositories that read and write them."""
