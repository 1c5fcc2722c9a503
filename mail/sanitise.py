"""Html of a stranger, made fit to be shown inside our page.

What stays is named, all else goes. Parsing and writing is nh3's (ammonia, html5ever); the rest works on its
output, in which each tag is `<name attr="value" ...>`, text holds no `<`, and no value holds a double quote.
"""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Mapping
from urllib.parse import unquote

import nh3

from mail.htmllimits import bounded

# Where the address of an image waits until the reader asks for remote images.
REMOTE_ATTRIBUTE = "data-remote-src"

_TAGS = {
    *("a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br"),
    *(
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
    ),
    *(
        "em",
        "figcaption",
        "figure",
        "font",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
    ),
    *(
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "mark",
        "nav",
        "ol",
        "p",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
    ),
    *(
        "section",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
    ),
    *("th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr"),
}
_DROPPED_WITH_CONTENT = {
    *("applet", "audio", "canvas", "datalist", "embed", "frameset", "iframe", "math", "noembed", "noframes"),
    *("object", "script", "select", "style", "svg", "template", "textarea", "title", "video", "xml", "xmp"),
}
_SIZE = {"width", "height"}
_CELL = {"align", "valign", "bgcolor", "width", "height", "colspan", "rowspan", "nowrap"}
_ATTRIBUTES = {
    "*": {"style", "dir", "lang", "title", "align"},
    "a": {"href"},
    "img": {"src", "alt", "border", "hspace", "vspace", "align", *_SIZE},
    "table": {"border", "cellpadding", "cellspacing", "bgcolor", "align", "summary", *_SIZE},
    "tbody": {"align", "valign"},
    "thead": {"align", "valign"},
    "tfoot": {"align", "valign"},
    "tr": _CELL,
    "td": _CELL,
    "th": _CELL | {"scope"},
    "col": {"align", "span", "valign", "width"},
    "colgroup": {"align", "span", "valign", "width"},
    "font": {"color", "face", "size"},
    "hr": {"align", "color", "noshade", "size", "width"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "time": {"datetime"},
    "bdo": {"dir"},
}
_SIDES = ("", "-top", "-right", "-bottom", "-left")
# None of them fetches anything or leaves the place of its element; `background` and negative margins see `_tame`.
_STYLES = {
    *(
        "color",
        "background",
        "background-color",
        "opacity",
        "visibility",
        "display",
        "float",
        "clear",
        "direction",
    ),
    *("font", "font-family", "font-size", "font-style", "font-variant", "font-weight", "line-height"),
    *("letter-spacing", "word-spacing", "word-break", "word-wrap", "overflow-wrap", "white-space"),
    *("text-align", "text-decoration", "text-decoration-color", "text-decoration-line", "text-transform"),
    *(
        "text-indent",
        "vertical-align",
        "width",
        "height",
        "max-width",
        "max-height",
        "min-width",
        "min-height",
    ),
    *("overflow", "table-layout", "border-collapse", "border-spacing", "caption-side", "empty-cells"),
    *("list-style-type", "list-style-position", "box-sizing", "unicode-bidi", "mso-hide", "border-radius"),
    *("border-color", "border-style", "border-width"),
    *(f"{name}{side}" for name in ("margin", "padding", "border") for side in _SIDES),
    *(f"border{side}-{kind}" for side in _SIDES[1:] for kind in ("color", "style", "width")),
}
_LINK_SCHEMES = ("http:", "https:", "mailto:", "tel:", "sms:")
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)

_IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*+")*+)>')
_SRC = re.compile(r' src="([^"]*+)"')
_TAG = re.compile(r'<[a-z][a-z0-9]*+(?: [a-z-]++="[^"]*+")*+>')
_STYLE = re.compile(r' style="([^"]*+)"')
_WILD_STYLE = re.compile(r"\\|(?<!rgb)(?<!rgba)\(|margin[a-z-]{0,12}:[^;\n]{0,100}-")
_HARMLESS_FUNCTION = re.compile(r"(?:rgba?|hsla?|calc|min|max|clamp)\([^()]*\)", re.IGNORECASE)
_DECLARATION = re.compile(r"(?:[^;\"'()]++|\"[^\"]*+\"|'[^']*+'|\([^()]*+\)|[\"'()])++")
_NEGATIVE = re.compile(r"(?:^|[\s:(])-[\d.]")

_BODY = re.compile(r"<body\b", re.IGNORECASE)
_BODY_ATTRIBUTES = re.compile(r"(?:[^>\"']++|\"[^\"]*+\"|'[^']*+'){0,200}+")
_BODY_COLOUR = re.compile(
    r"(?:\b(bgcolor|text)\s*+=\s*+[\"']?+\s*+|(?:^|[\"';\s])(background|background-color|color)\s*+:\s*+)"
    r"(#[0-9a-f]{3,8}\b|rgba?\([\d\s,.%]{3,40}\)|[a-z]{3,20}\b)",
    re.IGNORECASE,
)


def _absolute(url: str) -> str | None:
    """A link without a scheme leads nowhere in a mail; `//host/...` means https."""
    return f"https:{url}" if url.startswith("//") else None


def _keep_value(tag: str, attribute: str, value: str) -> str | None:
    """Used where a mail holds `data:` images: these may be shown, and nothing else of that scheme."""
    if attribute == "src" and value.lstrip()[:5].lower() == "data:":
        return value if tag == "img" and _DATA_IMAGE.match(value.strip()) else None
    if attribute == "href" and not value.strip().lower().startswith((*_LINK_SCHEMES, "//")):
        return None
    return value


_SCHEMES = {"http", "https", "mailto", "tel", "sms", "cid"}
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative=_absolute,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    filter_style_properties=_STYLES,
)
_data_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    attribute_filter=_keep_value,
    url_schemes=_SCHEMES | {"data"},
    url_relative=_absolute,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    filter_style_properties=_STYLES,
)


def safe_html(html: str, cid_urls: Mapping[str, str] | None = None, remote_images: bool = False) -> str:
    """The html with nothing active in it: no script, form, frame or foreign address that loads by itself.

    `cid_urls` gives the address of an inline image by its Content-ID (without brackets). A remote image has its
    address in `data-remote-src` unless `remote_images`. Links open in a new tab and tell nothing about us. The
    result stands on its own light ground (or the mail's own), so that it reads well on a dark page. Never raises.
    """
    if not html:
        return ""
    html = bounded(html.replace("\x00", ""))
    cleaned = (_data_cleaner if "data:image" in html else _cleaner).clean(html)
    if _WILD_STYLE.search("\n".join(set(_STYLE.findall(cleaned))).lower()) is not None:
        cleaned = _TAG.sub(_tame, cleaned)
    if "<img" in cleaned:
        urls = cid_urls or {}
        cleaned = _IMAGE.sub(lambda match: _image(match[1], urls, remote_images), cleaned)
    return f'<div style="{_ground(html)}">{cleaned}</div>'


def has_remote_images(html: str) -> bool:
    """Whether the switch for remote images would show anything in this html."""
    if not html or "<" not in html:
        return False
    return any(f" {REMOTE_ATTRIBUTE}=" in match[0] for match in _IMAGE.finditer(safe_html(html)))


def _image(attributes: str, cid_urls: Mapping[str, str], remote_images: bool) -> str:
    src = _SRC.search(attributes)
    if src is None:
        return f"<img{attributes}>"
    url = src[1].strip()
    scheme = url[:6].lower()
    if scheme.startswith("cid:"):
        content_id = html_entities.unescape(url[4:]).strip("<>")
        found = cid_urls.get(content_id) or cid_urls.get(unquote(content_id))
        shown = f' src="{html_entities.escape(found)}"' if found else ""
    elif scheme.startswith("data:"):
        shown = src[0]
    elif scheme.startswith(("http:", "https:")):
        shown = src[0] if remote_images else f' {REMOTE_ATTRIBUTE}="{src[1]}"'
    else:
        shown = ""
    return f"<img{attributes[: src.start()]}{shown}{attributes[src.end() :]}>"


def _tame(match: re.Match[str]) -> str:
    """A tag without the declarations that could fetch something or shift it over its neighbours."""
    return _STYLE.sub(_tame_style, match[0]) if " style=" in match[0] else match[0]


def _tame_style(match: re.Match[str]) -> str:
    declarations = _DECLARATION.findall(html_entities.unescape(match[1]))
    kept = ";".join(declaration for declaration in declarations if _is_tame(declaration))
    return f' style="{html_entities.escape(kept)}"' if kept else ""


def _is_tame(declaration: str) -> bool:
    if "\\" in declaration or "(" in _HARMLESS_FUNCTION.sub("", _HARMLESS_FUNCTION.sub("", declaration)):
        return False
    name = declaration.partition(":")[0].strip().lower()
    return not (name.startswith("margin") and ("(" in declaration or _NEGATIVE.search(declaration)))


def _ground(html: str) -> str:
    """Background and text colour of the mail's own body element, else dark on white; as declarations."""
    background, colour = "#ffffff", "#222222"
    body = _BODY.search(html)
    attributes = _BODY_ATTRIBUTES.match(html, body.end()) if body is not None else None
    if attributes is not None:
        named = _BODY_COLOUR.findall(attributes[0][:4000])
        found = {(name or style).lower(): value for name, style, value in named}
        own = found.get("background-color") or found.get("background") or found.get("bgcolor")
        if own and own.lower() not in ("transparent", "none", "inherit", "initial", "url", "white"):
            background = own
            colour = "#000000"
        colour = found.get("color") or found.get("text") or colour
    return f"color-scheme:light;background-color:{background};color:{colour}"
