"""The tables (SQLModel), one file per aggregate."""
