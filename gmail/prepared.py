"""A request that is built once and sent for many ids."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from googleapiclient.http import HttpRequest

_PLACE = "PLACEOFTHEID"


class Prepared:
    """Saves the 50 to 100 µs that google-api-python-client needs for each request that it builds.

    Args:
        build: builds the request for an id, which stands once in its path.
    """

    __slots__ = ("_after", "_before", "_model")

    def __init__(self, build: Callable[[str], HttpRequest]) -> None:
        self._model = build(_PLACE)
        self._before, self._after = self._model.uri.split(_PLACE)

    def of(self, wanted: str) -> HttpRequest:
        """The request for this id."""
        model = self._model
        return HttpRequest(
            model.http,
            model.postproc,
            f"{self._before}{quote(wanted, safe='')}{self._after}",
            method=model.method,
            headers=dict(model.headers),
            methodId=model.methodId,
        )
