"""Delivery notices in prose, of servers that know no RFC 3464: what they say is read off their lines.

The notice's own words end where it returns the mail or its header. In these words every address gets a
weight by how the line presents it; the heaviest that are not the notice's own parties are the recipients. A
recipient that the returned mail was addressed to goes before all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mail import autoreply, htmltext, notices
from mail.bouncereading import Reading, addresses_in, sentence, smtp_code, status_in
from mail.labels import fold
from mail.message import Mail

MAX_TEXT = 60_000
"""Characters of a notice that are read."""
MAX_LINES = 600
MAX_PROSE = 4000
"""Characters in which words of failure or delay are looked for: notices say it early."""
MAX_PROSE_LINES = 80
NOTICE_WEIGHT = 5
"""Points of evidence from which on prose is a notice."""
SURE_WEIGHT = 3
"""Weight from which on a line presents an address as one that was not reached."""

_RETURNED = re.compile(
    r"""^[\s>\-=*_#+|]{0,40}(?:
      (?:below|above)\s+this\s+line\s+is\s+(?:a\s+copy|the\s+(?:original|header))|this\s+is\s+(?:a\s+copy
      |the\s+(?:returned|original))|(?:the\s+)?(?:header|text|body|start|content)s?\s+of\s+(?:the\s+
      |your\s+)?(?:original\s+|returned\s+|unsent\s+)?(?:message|mail)|a\s+copy\s+of\s+(?:your
      |the)\s+(?:original\s+)?(?:message|mail)\s+(?:\w+\s+){0,3}(?:follows|below|is)
    |(?:original|returned|unsent|undelivered|rejected|failed|bounced)\s+(?:e?-?mail\s+)?(?:message
    |mail|text|headers?)(?:\s+(?:headers?|text|contents?|body|content|details))?(?:\s+(?:follows?|is|below|was
    |attached).{0,60})?[\s\-=*_:.]{0,80}$
    |(?:message|mail)\s+(?:headers?|text|contents?|body)(?:\s+follows?)?[\s\-=*_:.]{0,40}$|(?:message|mail
    |header|original|text)\s+follows[\s\-=*_:.]{0,40}$|unsent\s+message|received\s+message
    |include\s+headers|(?:first|beginning)\s+.{0,40}of\s+(?:the\s+)?(?:original\s+)?message
    |begin\s+(?:original|returned|of\s+.{0,20})\s*(?:message|mail)|message\s+from\s+.{0,60}\s+follows
    |start\s+of\s+(?:returned|forwarded|original)|---\s*enclosed|original\s+mail\s+as\s+follows
    |-----original
    |ursprüngliche\s+nachricht|originalnachricht|kopie\s+(?:der|ihrer)\s+(?:nachricht|mail)
    |message\s+(?:d.origine|original|initial)|mensaje\s+original|mensagem\s+original|messaggio\s+originale
    |oorspronkelijk\s+bericht|исходное\s+(?:сообщение|письмо)|原始邮件|原始郵件|元のメール
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADER = re.compile(
    r"^[\s>|]{0,4}(?:received|return-path|message-id|dkim-signature|x-[\w-]{2,40}|mime-version"
    r"|content-type|delivered-to|x-mailer)\s?:\s?\S",
    re.IGNORECASE,
)
_SENDER_HEADER = re.compile(r"^[\s>|]{0,4}(?:from|date|subject|reply-to)\s?:\s?\S", re.IGNORECASE)
_ID_LINE = re.compile(
    r"^[\s>|*]{0,6}(?:x-(?:original-|gmail-original-"
    r"|google-original-)?)?(?:original )?message[- ]?id\s{0,3}[:=]\s{0,3}(<?[^<>\s]{3,250}>?)",
    re.IGNORECASE,
)
_TO_LINE = re.compile(
    r"^[\s>|*]{0,6}(?:to|cc|apparently-to|x-original-to)\s{0,3}:\s{0,3}(.{3,400})", re.IGNORECASE
)
_FAILURE = re.compile(
    r"""
        could\s+not\s+(?:be\s+)?(?:deliver|send|sent|reach|process|accept)|(?:was|were|been|is|are|has
        |have)\s+not\s+(?:been\s+)?(?:deliver|sent|accept|receiv|reach)|not\s+(?:be\s+)?(?:deliver
        |delivrable|reached)|undeliver|non-?deliver|unable\s+to\s+(?:deliver|send|relay|reach|transmit
        |process|accept)|wasn't\s+(?:able\s+to\s+)?deliver|couldn't\s+(?:be\s+)?deliver|can(?:no
        |')t\s+(?:be\s+)?(?:deliver|send)|deliver(?:y|ing)?\s+(?:\w+\s+){0,6}(?:fail|error|problem
        |unsuccessful)|fail(?:ed|ure)?\s+(?:\w+\s+){0,3}(?:deliver|permanent|recipient)|fail(?:ed
        |ure)\s+(?:to\s+)?(?:deliver|send)|permanent\s+(?:fatal\s+)?(?:error|fail)|fatal\s+error
        |delivery\s+errors?|returned\s+to\s+(?:you|sender|the\s+sender)|returning\s+(?:your\s+)?(?:message
        |mail)|giv(?:en|ing)\s+up|did\s+not\s+reach|not\s+reach|bounced|failed\s+recipient|unsuccessful
    |user\s+(?:is\s+)?(?:unknown|not\s+found|doesn't\s+exist|not\s+listed)|not\s+a\s+valid\s+(?:user|address|recipient|mailbox)|unknown\s+(?:user|local|address
    |recipient|mailbox|host|domain)|no\s+such\s+(?:user|mailbox|address|recipient|person|local|domain
    |host)|(?:does|do)\s*(?:n't|\s+not)\s+exist|host\s+(?:unknown|not\s+found)|mailbox\s+(?:is\s+)?(?:full
    |unavailable|not\s+found|disabled|unknown)|(?:account|address|mailbox|user
    |recipient)\s+(?:\w+\s+){0,4}(?:disabled|inactive|suspended|not\s+exist|invalid|rejected|unavailable
    |not\s+found|full|unknown)|invalid\s+(?:recipient|address|user|mailbox)|over\s*quota|quota\s+exceeded
    |exceed(?:ed|s)\s+(?:\w+\s+){0,5}(?:quota|size|limit|space|storage)|(?:message
    |mail)\s+(?:\w+\s+){0,4}(?:rejected|blocked|refused|too\s+(?:large|big))|access\s+denied
    |relay(?:ing)?\s+(?:denied|not\s+permitted)|rejected\s+(?:your|the|by)|address\s+(?:not\s+found
    |couldn't)|can(?:no|')t\s+(?:be\s+)?(?:find|found)|spam|timed\s+out|refused\s+(?:to\s+accept|by)
    |discarded|does\s+not\s+like\s+recipient|bad\s+address|did\s+not\s+receive|invalid\s+final\s+delivery
    |not\s+our\s+customer|no\s+mailbox
    |too\s+many\s+hops|error\s+message\s+below
    |nicht\s+(?:\w+\s+){0,3}(?:zugestellt|übermittelt|zustellbar|ausgeliefert|gefunden|gesendet)
    |unzustellbar|unbekannter\s+(?:benutzer|empfänger)|fehlgeschlagen|n.a\s+pas\s+pu\s+être
    |n.ont\s+pas\s+pu\s+être|non\s+remis|impossible\s+de\s+(?:remettre|distribuer|transmettre|livrer)
    |mancata\s+consegna|(?:è\s+stat[oa]\s+)?(?:rifiutat|respint)[oa]\s+dal|échec|introuvable|utilisateur\s+inconnu|no\s+(?:se\s+)?(?:ha\s+podido|pudo|puede|ha\s+sido\s+posible
    |se\s+ha\s+podido)\s+(?:ser\s+)?entreg|no\s+(?:existe|entregad)|usuario\s+desconocido|rechazad
    |não\s+(?:pôde|foi|pode|existe)|falha\s+(?:na|permanente|de)|non\s+(?:è\s+stat[oa]|sono\s+stati
    |può\s+essere|esiste)\s*(?:possibile|recapitat|consegnat)?|impossibile|utente\s+sconosciuto
    |niet\s+(?:\w+\s+){0,3}(?:bezorgd|afgeleverd|bestaat|gevonden|besteld)|onbestelbaar|kunde\s+inte
    |gick\s+inte|kunne\s+ikke|kan\s+ikke|ikke\s+leveres|ei\s+voitu|epäonnistui|nie\s+(?:można|udało|został
    |może|istnieje)|niedostarcz|nelze|nebyla?\s+doruč|nedoruč|neexistuje|nem\s+(?:sikerült|lehet
    |kézbesíthető|létezik)|kézbesíthetetlen|nu\s+(?:a\s+putut|poate|există)|nije\s+(?:moguće|isporuč)
    |ni\s+mogoče
    |не\s+(?:\w+\s+)?(?:доставлен|удалось|может\s+быть|существует|найден|вдалося|може|знайдено|існує)
    |недоставлен|отклонен|неизвестн|δεν\s+(?:ήταν|μπορ|παραδ|υπάρχει|βρέθηκε)|αδύνατη|teslim\s+edileme
    |iletileme|gönderileme|bulunamadı|تعذر|فشل|لم\s+(?:يتم|نتمكن)|غير\s+موجود|לא\s+(?:ניתן|נמסר|נמצא
    |הצלחנו|היתה|קיימ)|נכשל|تحویل\s+داده\s+نشد
    |无法(?:投递|送达|发送|递送|传递|找到)|無法(?:投遞|送達|傳送|遞送|傳遞|找到)|未能(?:送达|送達|投递|投遞
    |发送|傳送)|未送达|退信|退回|投递失败|发送失败|不存在|配信でき
    |送信でき|届き?ません|配達でき|送れません|失敗|エラー|見つかりません|존재하지|배달할|전송(?:하지|할
    |에\s*실패)|보내지\s*못|실패|반송|없는\s+(?:사용자|주소)
    |ไม่สามารถ|ไม่สำเร็จ|không\s+(?:thể|tồn\s+tại|tìm\s+thấy|gửi)|tidak\s+(?:dapat|bisa|terkirim
    |ditemukan)|gagal|नहीं\s+(?:किया|हो|मिला|भेजा)|असफल|ei\s+(?:saanud|õnnestunud|leitud)|neizdev|nepavyko
    |ekki\s+(?:tókst|var\s+hægt)""",
    re.IGNORECASE | re.VERBOSE,
)
_DELAY = re.compile(
    r"""
        will\s+(?:be\s+re(?:tried|-?attempt)|re-?try|keep\s+trying|continue\s+(?:to\s+try|trying
        |attempting|to\s+attempt|to\s+be)|try\s+(?:again|to|for)|attempt)|(?:is
        |are)\s+still\s+(?:being\s+)?(?:trying|retried|queued|undelivered|attempt|in\s+the)
        |still\s+(?:be\s+)?(?:trying|retried)|warning\s+(?:message\s+)?only
        |not\s+(?:yet\s+)?been\s+delivered\s+(?:yet|after)|has\s+not\s+yet
        |you\s+do\s+not\s+need\s+to\s+resend|no\s+action\s+is\s+(?:required|necessary)|delayed
        |delivery\s+(?:has\s+been\s+|is\s+)?(?:delayed|incomplete)|temporary\s+problem\s+delivering
        |attempts?\s+to\s+deliver\s+(?:\w+\s+){0,5}will\s+continue
        |could\s+not\s+send\s+message\s+for\s+past|do\s+not\s+resend|has\s+been\s+postponed
    |wird\s+(?:weiter|erneut|noch)|verzögert|weiterhin\s+versucht|retard|nouvelle\s+tentative
    |de\s+nouvelles\s+tentatives|retras|se\s+(?:volverá\s+a\s+intentar|seguirá\s+intentando)
    |tentará\s+novamente|novas?\s+tentativas?|atras(?:o|ad)|verrà\s+(?:ritentat|riprovat)
    |nuov[oi]\s+tentativ|ritard|opnieuw\s+(?:proberen|geprobeerd)|vertraagd|försöker\s+igen|försenad
    |forsøger\s+igen|forsinket|prøve\s+igjen|yritetään\s+uudelleen|viiväst|ponowi|opóźni|opakov|zpožd|újra
    |késlelt|reîncerc|întârzi|повтор|задерж|затрим|спроб|προσπάθ|καθυστ|tekrar\s+dene|gecik
    |إعادة\s+المحاولة|تأخ|ינסה\s+שוב|עיכוב|重试|重試|延迟|延遲|再試行|再送|遅延|재시도|지연|ลองอีก|ล่าช้า
    |thử\s+lại|chậm
    |coba\s+lagi|tertunda""",
    re.IGNORECASE | re.VERBOSE,
)
_FINAL = re.compile(
    r"permanent|given up|giving up|will not (?:be )?(?:retr|try|attempt)|no (?:further|more) (?:attempts"
    r"|retries)|fatal|returned to|could not be delivered for|cannot send message for"
    r"|can't send message for|expired|retry time(?:out)? (?:not reached|exceeded)|failed permanently"
    r"|undeliverable",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(?:final|original|x-actual|failed|undelivered)[- ]recipients?\s{0,3}[:=]", re.IGNORECASE
)
_LISTS_RECIPIENTS = re.compile(r"\brecipients?\b[^:@]{0,200}:\s*$", re.IGNORECASE)
_ONLY_NAME = re.compile(r"^[A-Za-z0-9][\w.\-]{1,40}$")
_ALIAS = re.compile(r"\((?:ultimately )?(?:expanded|generated) from:? ", re.IGNORECASE)
"""The address that was mailed, below the one that it led to (sendmail, Exim)."""
_NOT_REACHED = re.compile(
    r"not (?:be )?(?:delivered|sent|reach|valid)[^@]{0,40}?[ :<\"']"
    r"[^\s<>@\"':]{1,100}@[^\s<>@]{1,200}[>\"']?[\s.:;,!]{0,4}$",
    re.IGNORECASE,
)
_STRONG_LINE = re.compile(
    r"^[\s*>\-•·.\d)]{0,12}<?[\"']?[^\s<>@]{1,100}@[^\s<>@\[\]]{1,200}[>\]]?[\s:;.,*)\-]{0,8}(?:$|\.\.\."
    r"|[\(\[:;=\-]|\s)"
)
_ONLY_ADDRESS = re.compile(
    r"^[\s*>\-•·]{0,12}(?:(?:e?-?mail|address|recipient|to|smtp"
    r"|rfc822)\s{0,3}[:;]\s{0,3}){0,2}[<\"'(]{0,2}[^\s<>@]{1,100}@[^\s<>@]{1,200}[>\"')]{0,2}[\s:;.,*)\-]{0,8}(?:\(.{0,120}\)?)?$",
    re.IGNORECASE,
)
_RCPT = re.compile(r"rcpt\s+to:|recipient|destinat|empfänger|получател|收件人|받는", re.IGNORECASE)
_FROM = re.compile(
    r"mail\s+from:|sender|from address|reply-to|from\s?:|envelope-from|contact|please (?:send|mail|write"
    r"|contact)|assistance|help",
    re.IGNORECASE,
)
_NO_RECIPIENT = re.compile(
    r"^(?:postmaster|mailer-daemon|mail-daemon|abuse|support|help(?:desk)?|hostmaster|root"
    r"|admin(?:istrator)?|noreply|no-reply|double-bounce|bounces?)@",
    re.IGNORECASE,
)
_WIDE = dict.fromkeys(map(ord, "：（），；【】「」『』《》“”"), " ")
"""Punctuation that stands right beside an address in East Asian notices."""
_REASON_START = re.compile(
    r"^\s*(?:(?:da|weil|car|porque|perché|omdat)\s*:\s*$|grund|ursache|motif|raison|motivo|причина|退信原因|原因"
    r"|理由|이유|반송 이유|reason|because|error|diagnostic(?:-code)?|remote (?:host )?said|response"
    r"|the error that the other server returned was|\(reason)\s*:?",
    re.IGNORECASE,
)


def read(mail: Mail) -> Reading:
    """What the notice's own words say. Linear; at most `MAX_TEXT` characters are read."""
    nested = _nested(mail)
    text = nested or mail.text or ""
    if not text.strip() and mail.html:
        text = htmltext.text_of(mail.html)
    if not text.isascii():
        text = text[:MAX_TEXT].translate(_WIDE)
    lines = text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]
    cut = _returned_at(lines)
    own, returned = lines[:cut], lines[cut:]
    ids, known = _returned_fields(returned, mail)
    if nested:
        # Whom the inner notice was sent to is the writer of the mail, not its recipient.
        known.clear()
    ids += [found[1] for line in own if (found := _ID_LINE.match(line[:400]))]
    words = "\n".join(own)
    folded = fold(" ".join(words[: 2 * MAX_PROSE].split()))[:MAX_PROSE]
    failure = _FAILURE.search(folded) is not None
    recipients, weight = _recipients(mail, own, known)
    status = status_in(words)
    reason = _reason(own, recipients)
    code = smtp_code(reason) or next(filter(None, (smtp_code(line[:400]) for line in own)), None)
    delayed = _is_delay(mail, folded, status or code or "")
    evidence = (2 if failure or delayed else 0) + (1 if status or code else 0) + (1 if weight >= 3 else 0)
    if mail.embedded or len(returned) > 3:
        evidence += 1
    if status is None or status.startswith("2"):
        status = None
    return Reading(recipients, status, reason, code, tuple(ids), delayed, evidence)


def _nested(mail: Mail) -> str:
    """The words of a notice that a filter on its way has put, whole, into another; empty where there is none.

    A report that carries a returned notice in turn has fields of its own: that one failed, and says so itself.
    """
    if mail.delivery_status or len(mail.embedded) != 1 or not notices.is_daemon(mail):
        return ""
    inner = mail.embedded[0]
    kind = (inner.headers.get("content-type") or "").lstrip().lower()
    return (inner.text or "") if kind.startswith("multipart/report") else ""


def is_notice(mail: Mail, reading: Reading) -> bool:
    """Do header and words together make a delivery notice? Both must speak for it."""
    header = 0
    if notices.is_daemon(mail):
        header += 2
    elif autoreply.has_auto_reply_subject(mail) and not notices.report_type(mail):
        # It says who cannot be reached, and who can instead.
        return False
    if notices.has_null_return_path(mail):
        header += 1
    if notices.is_submitted_by_machine(mail):
        header += 1
    named = (
        notices.has_failure_subject(mail) or notices.has_delay_subject(mail)
    ) and not notices.is_reply_subject(mail)
    if named:
        header += 2
    if notices.report_type(mail):
        header += 2
    if notices.has_null_sender(mail):
        header += 1
    if header >= 4 and (reading.evidence >= 1 or header >= 6):
        return True
    # A returned mail, its recipient and words of failure say enough, even where the sender calls itself "no-reply".
    if header >= 1 and reading.evidence >= 4 and notices.has_null_return_path(mail):
        return True
    if header >= 2 and reading.evidence >= 2 and notices.is_daemon(mail, strictly=True):
        return True
    if header > 2:
        return reading.evidence >= 2 and header + reading.evidence >= NOTICE_WEIGHT
    # People choose such subjects too, and postmasters write of other things: more must speak for a notice.
    coded = reading.status is not None or reading.code is not None
    return header == 2 and reading.evidence >= 3 + (coded if named else not coded)


def _is_delay(mail: Mail, folded: str, code: str) -> bool:
    if notices.has_delay_subject(mail):
        return not (_FINAL.search(folded) and not _DELAY.search(folded))
    # Words such as "retry" are advice to the reader where the server has refused for good.
    return not code.startswith("5") and _DELAY.search(folded) is not None and _FINAL.search(folded) is None


def _returned_at(lines: Sequence[str]) -> int:
    """Line at which the notice returns the mail that it is about: below the first words of failure."""
    failed = False
    for at, line in enumerate(lines):
        head = line[:300]
        if failed and _RETURNED.match(head) and not addresses_in(head):
            return at
        if failed and _HEADER.match(head):
            near = [other[:200] for other in lines[at + 1 : at + 12]]
            if sum(1 for other in near if _HEADER.match(other) or _SENDER_HEADER.match(other)) >= 2:
                return at
        failed = failed or at > MAX_PROSE_LINES or _says_failure(head)
    return len(lines)


def _says_failure(line: str) -> bool:
    return bool(
        smtp_code(line) or status_in(line) or addresses_in(line) or _fails(line) or _DELAY.search(line)
    )


@lru_cache(maxsize=512)
def _fails(line: str) -> bool:
    """Words of failure in a line; many hundred alternatives, and several readers ask about the same lines."""
    return _FAILURE.search(line) is not None


def _returned_fields(lines: Sequence[str], mail: Mail) -> tuple[list[str], set[str]]:
    """Ids and addressees of the returned mail, from its header in the text and from attached ones."""
    ids: list[str] = []
    known: set[str] = set()
    for line in lines[:300]:
        found = _ID_LINE.match(line[:400])
        if found:
            ids.append(found[1])
        to = _TO_LINE.match(line[:500])
        if to:
            known.update(address.lower() for address in addresses_in(to[1]))
    for embedded in mail.embedded:
        for name in ("to", "cc", "x-original-to", "delivered-to"):
            for value in embedded.headers.get_all(name):
                known.update(address.lower() for address in addresses_in(value))
    return ids, known


def _recipients(mail: Mail, own: Sequence[str], known: set[str]) -> tuple[tuple[str, ...], int]:
    """The addresses that the notice is about, and the weight of the heaviest."""
    parties = {address.key for address in (*mail.to, *mail.cc, *mail.from_, *mail.reply_to)}
    weights: dict[str, int] = {}
    written: dict[str, str] = {}
    above = ""
    for line in own:
        bounded = line[:600]
        if "@" in bounded:
            weight = -1
            for address in addresses_in(bounded):
                key = address.lower()
                if (key in parties and key not in known) or _NO_RECIPIENT.match(key):
                    continue
                if weight < 0:
                    weight = _line_weight(bounded, above)
                written.setdefault(key, address)
                weights[key] = max(weights.get(key, 0), weight)
        if bounded.strip():
            above = bounded
    if not weights:
        return _unnamed(mail, own, known, parties), 0
    heaviest = max(weights.values())
    addressed = [key for key in weights if key in known]
    if addressed and max(weights[key] for key in addressed) >= min(heaviest, SURE_WEIGHT):
        # The mail may have gone to more than its header says: those that are named as surely failed as well.
        chosen = {key for key, weight in weights.items() if weight >= SURE_WEIGHT and weight == heaviest}
        chosen.update(addressed)
    elif heaviest >= SURE_WEIGHT or not addressed:
        chosen = {key for key, weight in weights.items() if weight == heaviest}
    else:
        chosen = set(addressed)
    return tuple(written[key] for key in weights if key in chosen), heaviest


def _unnamed(mail: Mail, own: Sequence[str], known: set[str], parties: set[str]) -> tuple[str, ...]:
    """The recipients where the words name no address: one's own, a name on the notice's server, or those that
    the returned mail was sent to.
    """
    for at, line in enumerate(own):
        listed = addresses_in(line[:600]) if _ONLY_ADDRESS.match(line[:600]) else ()
        if listed and not _NO_RECIPIENT.match(listed[0]):
            return listed
        if _LISTS_RECIPIENTS.search(line[-300:]) and mail.from_ and notices.is_daemon(mail):
            domain = mail.from_[0].key.rpartition("@")[2]
            names = [name.strip() for name in own[at + 1 : at + 6] if name.strip()]
            if names and domain and _ONLY_NAME.match(names[0]):
                return (f"{names[0]}@{domain}",)
    rest = tuple(sorted(known - parties))
    return rest if len(rest) <= 5 else ()


def _line_weight(line: str, above: str) -> int:
    if _FIELD.search(line):
        return 5
    if _TO_LINE.match(line):
        return 1
    if _ALIAS.search(line) or _NOT_REACHED.search(line):
        return 4
    if _ONLY_ADDRESS.match(line):
        return 4
    if _FROM.search(line) and not _RCPT.search(line):
        return 0
    if _STRONG_LINE.match(line) and (smtp_code(line) or status_in(line)):
        return 4
    if _STRONG_LINE.match(line) or _RCPT.search(line):
        return 3
    if smtp_code(line) or _fails(line[:200]) or _fails(above[:200]):
        return 2
    return 1


def _reason(own: Sequence[str], recipients: Iterable[str]) -> str:
    """The line that says why: with an SMTP reply or status, else below the recipient, else with words of
    failure.
    """
    coded = [
        line
        for line in own
        if (status_in(line[:600]) or smtp_code(line[:600])) and re.search(r"[A-Za-z]{3}", line)
    ]
    if coded:
        text = coded[0].strip()
        at = own.index(coded[0])
        for line in own[at + 1 : at + 4]:
            if not line.strip() or len(text) > 250:
                break
            text = f"{text} {line.strip()}"
        return sentence(text)
    for at, line in enumerate(own):
        if _REASON_START.match(line[:200]):
            text = " ".join(part.strip() for part in own[at : at + 3])
            return sentence(text)
    keys = tuple(address.lower() for address in recipients)
    for at, line in enumerate(own):
        if keys and not _TO_LINE.match(line) and any(key in line.lower() for key in keys):
            if _fails(line[:600]):
                return sentence(line)
            for below in own[at + 1 : at + 4]:
                if below.strip():
                    return sentence(below)
    for line in own[:MAX_PROSE_LINES]:
        if _fails(line[:300]):
            return sentence(line)
    return ""
