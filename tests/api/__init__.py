"""Tests of the HTTP API and its pages, over real HTTP and a real database."""
