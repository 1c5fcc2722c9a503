"""The embedded parts of `make up`, which tests, demo and benchmarks start too; no product code imports it."""
