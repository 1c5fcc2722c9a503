"""Log events; structlog is loaded with the first one, since it takes a quarter of the start."""

from __future__ import annotations


def note(event: str, **facts: object) -> None:
    """Something worth knowing."""
    import structlog

    structlog.get_logger().info(event, **facts)


def failed(event: str, **facts: object) -> None:
    """An error of the emulator itself, with its traceback."""
    import structlog

    structlog.get_logger().exception(event, **facts)
