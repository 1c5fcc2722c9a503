"""Where a signature begins that a client or a list put under the writer's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mail.labels import fold, plain

MAX_SIGNATURE_LINES = 25
"""A longer tail under "-- " is text that happens to hold such a line."""
MAX_RULED_LINES = 8
"""The same under a line of three dashes, which also rules off paragraphs."""
MAX_DEVICE_LINE = 160

_DELIMITERS = frozenset({"--", "—", "––", "---", "__", "- -"})
_DELIMITING = frozenset("-–—_")
_BLANKISH = re.compile(r"^[\s\-_=*~#+–—ᐧ>\u200b]*$")
_DEVICE = re.compile(
    r"""^(?!.{0,160}\b(?:is|are|was|were|will)\b)[\s<(\[{*_\-–—>]{0,6}(?:
      (?:someone\s)?(?:sent|send)\s(?:securely\s|wirelessly\s)?(?:from|via|using|with|by
      |on)\s(?:my\s(?:\S+\s?){1,7}$|(?:a|an|the|your)?\s?(?:\S{1,20}\s){0,3}[<\[(]?(?:iphone|ipad|ipod
      |phone|mobile|cell|smartphone|tablet|handheld|device|android|samsung|galaxy|blackberry|nokia|huawei
      |xiaomi|htc|lg|sony|motorola|windows|outlook|mail|mailbox|gmail|yahoo|aol|proton|airmail|spark|nine
      |edison|zoho|type|mailspring|superhuman|front|boxer|mymail|k-9|fairemail|thunderbird|sparrow|acompli
      |newton|polymail|hey|missive|canary|verizon|at&t|t-mobile|surface|ios|webmail)\b)
    | (?:written|typed|composed)\s(?:on|from)\smy\s
    | .{0,60}\boutlook\b.{0,40}(?:<|\[|\()https?://aka\.ms/
    | (?:get|obtenir|skaffa|ottenere|laden\ssie|pobierz|получите|завантажте|获取|取得|下載|下载)\s.{0,30}outlook\b
    | (?:outlook\s(?:für|voor|pour|para|per)|(?:android|ios)\s?(?:版|용|için)).{0,30}
      (?:beziehen|herunterladen|downloaden|入手|ダウンロード|다운로드|edinin|outlook)
    | get\s\[?outlook\sfor\b | get\s\[?yahoo | download\s\[?outlook
    | von\s(?:meine[mrn]|yahoo|aol|gmx|web\.de|outlook|gmail)\s.{2,60}(?:gesendet|geschickt|verfasst)\b
    | gesendet\s(?:von|mit|über|vom)\b
    | diese\snachricht\swurde\svon\smeinem | diese\se-?mail\swurde\s(?:von|mit)
    | envoyé(?:e)?\s(?:depuis|de|à\spartir|via|avec)\s | obtenez\soutlook | télécharger\soutlook
    | provenance\s:\scourrier\spour
    | enviado\s(?:desde|do|de|pelo|a\spartir|via|através|con)\s | enviada\s(?:do|de|pelo)\s
    | obtener\soutlook | obter\so?\s?outlook | obtenha\so?\s?outlook
    | enviat\s(?:des\sde|amb|a\spartir|via)
    | inviato\s(?:da|dal|con|tramite)\b | scarica\soutlook | ottieni\soutlook
    | verzonden\s(?:vanaf|vanuit|met|van|via)\s | verstuurd\s(?:vanaf|met|van|via)\s
    | outlook\svoor\s\w+\sdownloaden | download\soutlook
    | skickat\s(?:från|med|via)\s | hämta\soutlook | sendt\s(?:fra|med|via)\s | hent\soutlook | få\soutlook
    | lähetetty\s | hanki\soutlook | wysłan[eoy]\s(?:z|przez|za)\s | pobierz\saplikację\soutlook
    | odesláno\s(?:z|ze|pomocí)\s | odoslané\s(?:z|zo)\s | küldve\s | .{1,30}küldve$
    | .{1,30}gönderildi\.?$
    | trimis\s(?:de|din|prin|cu)\s | poslano\s(?:s|z|sa|iz)\s | poslato\s(?:sa|s)\s | изпратено\sот\s
    | отправлено\s(?:с|из|со|через)\s | надіслано\s(?:з|із)\s | адпраўлена\s | послато\s | στάλθηκε\s
    | εστάλη\s | saadetud\s | nosūtīts\s | išsiųsta\s | sent\súr
    | iphone['’`]?(?:um|i)dan\sgönderildi | gönderildi
    | 从我的.{0,30}发送 | 發自我的 | 发自我的 | 從我的.{0,30}傳送 | 我的.{0,20}发送 | 来自.{0,20}(?:手机
    |邮箱|客户端) | 从.{0,30}发送$
    | .{0,30}から送信$ | .{0,30}에서\s(?:보냄|보낸) | 나의\s.{0,30}에서\s보냄
    | أُ?رسلت?\sمن | تم\sالإرسال\sمن | נשלח\sמ | ارسال\sشده\sاز | ส่งจาก | đã\sgửi\stừ | được\sgửi\stừ
    | gửi\stừ | dikirim\sdari | dihantar\sdari | मेरे\s.{0,30}भेजा
    | from\smy\s(?:iphone|ipad|android|mobile|phone|samsung|blackberry|htc)
    ).{0,120}$""",
    re.IGNORECASE | re.VERBOSE,
)
_FIRST_WORDS = frozenset(
    [
        "sent",
        "send",
        "someone",
        "written",
        "typed",
        "composed",
        "get",
        "download",
        "von",
        "gesendet",
        "diese",
        "obter",
        "obtenha",
        "obtener",
        "obtenez",
        "obtenir",
        "ottenere",
        "pobierz",
        "skaffa",
        "laden",
        "ios",
        "android",
        "enviat",
        "enviado",
        "enviada",
        "inviato",
        "scarica",
        "ottieni",
        "verzonden",
        "verstuurd",
        "outlook",
        "skickat",
        "sendt",
        "hent",
        "hanki",
        "trimis",
        "poslano",
        "poslato",
        "saadetud",
        "from",
        "dikirim",
        "dihantar",
        "provenance",
        "envoye",
    ]
)
"""How such lines begin where they are plain ASCII: a cheap first look."""
_LIST_FOOTER = re.compile(
    r"mailing list|mailman|listinfo|unsubscribe|to post to this group|you received this message because"
    r"|google groups|yahoo! groups",
    re.IGNORECASE,
)


def is_device_line(line: str) -> bool:
    """ "Sent from my iPhone" and its like, in many languages."""
    if len(line) > MAX_DEVICE_LINE:
        return False
    text = plain(line)
    if text.isascii() and not _starts_as_device_line(text):
        return False
    return bool(text) and _DEVICE.match(text) is not None


def _starts_as_device_line(text: str) -> bool:
    return text.lstrip("<([{*_->").partition(" ")[0].lower() in _FIRST_WORDS


def trailing_signature(lines: Sequence[str]) -> int | None:
    """Index from which on the lines are signature and footers; None where there are none."""
    end = len(lines)
    cut = _first_cut(lines)
    start = end if cut is None else cut
    end = start
    while end > 0:
        line = lines[end - 1]
        if len(line) < 200 and _BLANKISH.match(line):
            end -= 1
        elif is_device_line(line):
            end -= 1
            start = end
        else:
            break
    if start == len(lines):
        # A lone delimiter at the end signs nothing, but is no text either.
        return end if any(line.strip() for line in lines[end:]) else None
    return end


def _first_cut(lines: Sequence[str]) -> int | None:
    """The delimiter of a signature or a list's footer, or else the line of a phone: that stands under what
    was written on it, and what follows is the mail that was answered.
    """
    stripped = [line.strip() for line in lines]
    for at, text in enumerate(stripped):
        if text and text[0] in _DELIMITING and _delimits(lines, at, text):
            return at
    first = next((at for at, text in enumerate(stripped) if text), 0)
    below = [*stripped[first + 2 :], ""]
    for at, (text, following) in enumerate(zip(stripped[first + 1 :], below, strict=False), first + 1):
        if (
            text
            and not following
            and text[0] not in _DELIMITING
            and (_starts_as_device_line(text) or not text.isascii() or "*" in text)
            and is_device_line(text)
        ):
            return at
    return None


def _delimits(lines: Sequence[str], at: int, text: str) -> bool:
    below = len(lines) - at - 1
    if text in _DELIMITERS:
        return 0 < below <= (MAX_RULED_LINES if text == "---" else MAX_SIGNATURE_LINES)
    if text.startswith("_____") and len(text) < 200 and not text.strip("_"):
        footer = " ".join(line[:200] for line in lines[at + 1 : at + 6])
        return _LIST_FOOTER.search(fold(footer)) is not None
    return False
