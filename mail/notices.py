"""What the headers of a mail server's notice look like (S9, S19, S20), and Gmail's notice of a sending limit.

Delivery notices are told by what RFC 3464 and RFC 3834 ask of them, and since half of the world's servers
do neither, by who sends them and by their subjects, in many languages.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mail.labels import fold, plain
from mail.message import Mail

MAX_READ = 20_000
"""Characters of a body that are looked through for phrases."""

_DAEMON = re.compile(
    r"^(?:mailer[-_.]?daemon|mail[-_.]?daemon|post[-_.]?master|post[-_]?office|mailer[-_]deamon|mmdf"
    r"|maildaemon"
    r"|double-bounce|mdaemon|bounce[-_.]?notification|"
    r"mail[-_.]?delivery(?:[-_.]?(?:subsystem|system|service|failure))?|delivery[-_.]?(?:failure|status"
    r"|subsystem|notification)|"
    r"mail[-_.]?system|smtp[-_.]?gateway|uucp|microsoftexchange[0-9a-f]{20,40}|mailgate|mail[-_.]router"
    r"|bouncer?s?|non-?delivery|auto-notify|system-administrator|undelivered)(?:$|[-+.=_\d\\])",
)
_DAEMON_NAME = re.compile(
    r"mail(?:er)?[ -]delivery[ -](?:sub)?system|mailer[ -]?daemon|mail delivery service"
    r"|system administrator|mail administrator|postmaster|microsoft outlook$|microsoft exchange"
    r"|delivery subsystem|mail delivery (?:agent|failure)|mail system|internet mail (?:connector|delivery)"
    r"|non-delivery|メール配送システム|系统管理员|邮件系统"
)
_FAILURE_SUBJECT = re.compile(
    r"""
        undeliver(?:able|ed)\b|undelivered\s+mail|\bnon[- ]?deliver
        |delivery\s+(?:status\s+)?notification(?!\s*:?\s*\(?(?:success|delay|relay))|failure\s+notice
        |failed\s+mail
    |(?:mail|message|e-?mail)\s+delivery\s+(?:has\s+)?(?:failed|failure|error|problem)|deliver(?:y
    |ing)\s+(?:has\s+|of\s+your\s+message\s+)?(?:failed|failure|error|problem|report)|returned\s+(?:e?mail
    |message|to\s+sender)|mail\s+(?:system\s+error|returned|failure|error|undeliver)
    |(?:message|mail|e-mail|email)\s+(?:was\s+|is\s+|has\s+been\s+|could\s+)?not\s+(?:be\s+)?(?:delivered
    |sent)|could\s*n(?:o|')t\s+(?:be\s+)?(?:deliver|send|sent)|unable\s+to\s+deliver
    |cannot\s+(?:be\s+)?deliver|address\s+not\s+found|message\s+(?:you\s+sent\s+)?blocked|rejected\s+(?:mail|message
    |posting)|delivery\s+failure
    |^bounced?\b|^nondeliverable|user\s+unknown|unknown\s+(?:user|address|recipient)
    |message\s+(?:status\s*-\s*undeliverable|undeliverable|rejected|returned)|warning\s+from\s+(?:uucp
    |your\s+mailer)|^delivery\s+report|mail\s+not\s+delivered|delivery\s+incomplete|^nichtzustell
    |unzustellbar|nicht\s+zustellbar|zustellung(?:\s+ist)?\s+(?:fehlgeschlagen|gescheitert)
    |zustell(?:ungs)?fehler|(?:benachrichtigung|bericht)\s+(?:zum|über\s+den)\s+(?:übermittlungs
    |zustellungs?)status|nicht\s+zugestellt|konnte\s+nicht\s+zugestellt
    |non\s+remis|échec\s+de\s+(?:la\s+)?(?:remise|distribution|livraison|l.envoi)
    |notification\s+d.état\s+de\s+(?:remise|distribution)|non\s+distribu|non\s+délivr
    |impossible\s+de\s+(?:remettre|délivrer)|retour\s+à\s+l.expéditeur
    |no\s+se\s+(?:puede|pudo|ha\s+podido)\s+entregar|no\s+entregad|error\s+(?:de|en\s+la)\s+entrega
    |fall[oó]\s+(?:de|en\s+la)\s+entrega|estado\s+de\s+(?:la\s+)?entrega|mensaje\s+devuelto
    |correo\s+devuelto|imposible\s+entregar
    |não\s+(?:foi\s+)?(?:é\s+)?(?:possível\s+)?entreg|falha\s+(?:na|de)\s+entrega|status\s+d[ae]\s+entrega
    |estado\s+d[ae]\s+entrega|mensagem\s+devolvida|não\s+pôde\s+ser\s+entregue|erro\s+(?:na|de)\s+entrega
    |non\s+recapit|impossibile\s+(?:recapitare|consegnare)|mancat[oa]\s+(?:recapito|consegna)
    |stato\s+(?:di\s+|del\s+)?(?:recapito|consegna)|errore\s+di\s+(?:recapito|consegna)|non\s+consegnat
    |onbestelbaar|niet\s+(?:worden\s+)?(?:bezorgd|afgeleverd)|bezorg(?:ing)?s?(?:fout|ing\s+mislukt)
    |bezorgingsstatus|aflevering\s+(?:is\s+)?mislukt
    |(?:kunde|kan)\s+inte\s+levereras|gick\s+inte\s+att\s+leverera|olevererba|ej\s+levererat|leveransfel
    |leveransstatus|kunne\s+ikke\s+(?:leveres|afleveres)|kan\s+ikke\s+leveres|ikke\s+lever(?:et|t)
    |uleverbar|leveringsfe(?:jl|il)|leveringsstatus|ulevert
    |ei\s+voitu\s+toimittaa|toimitus\s+epäonnistui|toimittamaton|toimitusilmoitus|niedostarcz
    |nie\s+(?:można|udało\s+się)\s+dostarczyć|nie\s+dostarczon|stan(?:ie|u)\s+dostarczenia
    |zwrot\s+(?:wiadomości|poczty)
    |nedoručiteln|nelze\s+doručit|nedoručen|nedoruč|stavu?\s+doručení|kézbesíthetetlen|nem\s+kézbesíthető
    |kézbesítés(?:i)?\s+(?:sikertelen|hiba|állapot)|nelivrabil|nu\s+a\s+putut\s+fi\s+livrat
    |imposibil\s+de\s+livrat|nedostavljiv|neisporuč|ni\s+mogoče\s+dostaviti|nedostavljen
    |neuspješna\s+isporuka
    |недоставлен|не\s+доставлен|не\s+удалось\s+доставить|невозможно\s+доставить|ошибка\s+доставки
    |статус\w*\s+доставки|не\s+вдалося\s+доставити|неможливо\s+доставити|не\s+може\s+да\s+бъде\s+доставен
    |неуспешна\s+доставка|недоставен
    |δεν\s+(?:ήταν\s+δυνατή\s+η\s+)?παρ[αά]δ|αδύνατη\s+η\s+παράδοση|μη\s+παραδοτέο|αποτυχία\s+παράδοσης
    |teslim\s+edileme|iletilemedi|gönderilemedi|teslimat\s+(?:durumu|hatası)
    |تعذر\s+(?:ال)?تسليم|غير\s+قابل(?:ة)?\s+للتسليم|فشل\s+(?:في\s+)?(?:ال)?(?:تسليم|إرسال)
    |لم\s+يتم\s+(?:ال)?تسليم|לא\s+(?:ניתן\s+)?(?:ל)?(?:נ)?מסיר|לא\s+נמסר|מסירה\s+נכשלה|تحویل\s+داده\s+نشد
    |تحویل\s+ناموفق
    |未送达|未送達|无法投递|無法投遞|退信|退件|无法送达|無法送達|投递失败|投遞失敗|未传递|無法傳遞|傳送失敗
    |发送失败|未遞送|无法传递|無法傳送
    |配信不能|配信エラー|未配信|配達できません|配信できません|送信できません|配信に失敗|配信失敗
    |エラーメール|メールエラー|배달되지\s*않|배달할\s*수\s*없|반송|전송\s*실패|배달\s*실패|전달되지
    |보낼\s*수\s*없|수신\s*실패
    |ส่งไม่สำเร็จ|ไม่สามารถส่ง|ส่งไม่ได้|không\s+(?:thể\s+)?gửi|không\s+thể\s+phân\s+phối
    |tidak\s+(?:dapat\s+)?(?:ter)?kirim|gagal\s+(?:di)?kirim|tidak\s+dapat\s+dihantar|वितरित\s+नहीं
    |kättetoimetamata|ei\s+saa\s+(?:kätte\s+)?toimetada|nepiegādā|nepristaty|nepavyko\s+pristatyti|óafhend
    |no\s+s.ha\s+pogut\s+lliurar|no\s+lliurat""",
    re.VERBOSE,
)
_FAILURE_STEMS = (
    *(
        "deliver",
        "return",
        "fail",
        "error",
        "warning",
        "not ",
        "couldn",
        "unable",
        "cannot",
        "address",
        "block",
    ),
    *(
        "reject",
        "bounce",
        "unknown",
        "undeliv",
        "mail system",
        "zustell",
        "remis",
        "distribu",
        "livr",
        "entreg",
    ),
    *(
        "devuelto",
        "recapit",
        "consegn",
        "bezorg",
        "aflever",
        "onbestel",
        "lever",
        "toimit",
        "dostarcz",
        "zwrot",
    ),
    *(
        "doru",
        "livrat",
        "dostav",
        "isporu",
        "teslim",
        "iletil",
        "kirim",
        "toimet",
        "piegad",
        "pristat",
        "lliur",
    ),
    *("nelivrabil", "ulever", "transmi", "status -"),
)
"""In a subject that is plain ASCII, one of these is in every phrase above: a cheap first look."""
_DELAY_SUBJECT = re.compile(
    r"""
        \(delay(?:ed)?\)|^delayed\s+mail|^warning:.{0,60}(?:delay|could\s+not\s+send|not\s+yet|still)
        |delivery\s+(?:\w+\s+){0,3}(?:delay|warning)|(?:mail|message)\s+(?:delivery\s+)?(?:is\s+|has\s+been\s+
        |was\s+)?(?:delayed|deferred|still)|delayed\b|delivery\s+delayed|\bdelay\s+notif
        |warning:\s+could\s+not\s+send|could\s+not\s+send\s+message\s+for\s+past|message\s+warning
        |transient\s+(?:delivery\s+)?(?:failure|error)
    |delivery\s+incomplete|\(retard(?:é|ée)?\)|(?:remise|distribution
    |livraison)\s+(?:\w+\s+){0,2}(?:retardée|différée)|retard\s+de\s+(?:la\s+)?(?:remise|distribution
    |livraison)|zustellung\s+verzögert|\((?:verzögerung|verzögert)\)|verzögert|verspätet|\((?:retraso
    |demora)\)|entrega\s+(?:retrasada|demorada|atrasada|aplazada)|\(atraso(?:da)?\)
    |retraso\s+en\s+la\s+entrega|consegna\s+ritardata|\(ritardo\)|recapito\s+(?:ritardato|in\s+ritardo)
    |vertraagd|\(vertraging\)
    |försenad|forsinket|viivästy|opóźni|zpožd|zdrž|oneskoren|késleltet|késik|întârzi|задерж|затрим|отложен
    |забав|καθυστ|gecik|تأخ|עיכוב|מתעכב|延迟|延遲|遅延|遅れ|지연|ล่าช้า|trễ|chậm|tertunda|tertangguh
    |hilinen|kavē
    |vėluo|odgođen|kasni|odlož""",
    re.VERBOSE,
)
_LIMIT = re.compile(
    r"""
        you\s+have\s+reached\s+a\s+limit\s+for\s+sending|reached\s+(?:a|your
        |the)\s+(?:daily\s+)?(?:gmail\s+)?(?:limit|quota)\s+for\s+sending|(?:exceeded|reached)\s+(?:the
        |your)\s+(?:maximum\s+)?(?:daily\s+)?(?:user\s+)?sending\s+(?:limit|quota)
        |daily\s+(?:user\s+)?sending\s+(?:limit|quota)\s+(?:was\s+|has\s+been\s+)?exceeded
        |limit\s+for\s+sending\s+(?:mail|e-?mail|messages)
    |(?:sende)?limit\s+(?:für|zum|beim)\s+(?:das\s+)?(?:senden|versenden|versand)|(?:grenzwert
    |höchstgrenze|obergrenze|limit)\w*\s+(?:\w+\s+){0,3}(?:senden|versenden|versand|gesendete)
    |limite\s+d.envoi|(?:quota|plafond)\s+d.envoi|límite\s+(?:\w+\s+){0,3}(?:de\s+env[ií]o
    |para\s+(?:el\s+)?env|para\s+enviar)|limite\s+(?:\w+\s+){0,3}(?:de\s+envio|para\s+(?:o\s+)?envi
    |di\s+invio|per\s+(?:l.)?invi)
    |limiet\s+voor\s+(?:het\s+)?(?:verzenden|versturen)|verzendlimiet|(?:gräns|grænse
    |grense)\w*\s+for\s+(?:at\s+|å\s+)?send|gränsen\s+för\s+(?:att\s+)?skicka|lähetys(?:rajan|raja)
    |limit\w*\s+(?:\w+\s+){0,2}(?:wysyłania|wysłanych|odesílání|odosielania|slanja|pošiljanj)
    |küldési\s+(?:korlát|limit)|limita\s+(?:de|pentru)\s+trimiter|лимит\w*\s+(?:на\s+)?(?:отправк|надсилан
    |изпращан)|ліміт\w*\s+(?:на\s+)?(?:надсилан|відправ)|ограничени\w+\s+(?:на|по|за)\s+(?:отправк
    |изпращан)
    |όριο\s+(?:\w+\s+){0,2}αποστολ|gönderme\s+(?:sınır|limit)|gönderim\s+(?:sınır|limit)|حد\s+(?:ال)?إرسال
    |الحد\s+\S+\s+(?:ل|من\s+)?(?:ال)?(?:إرسال|رسائل)|מגבלת?\s+(?:ה)?שליח|发送(?:邮件)?(?:的)?(?:上限|限制
    |限额)
    |傳送(?:郵件)?(?:的)?(?:上限|限制)|寄信上限|送信(?:できる|の)?(?:上限|制限)|メール送信の上限
    |전송\s*(?:한도|제한)|발송\s*한도|보내기\s*(?:한도|제한)
    |ขีดจำกัดการส่ง|giới\s+hạn\s+gửi|batas\s+pengiriman|had\s+penghantaran|भेजने\s+की\s+सीमा|saatmislimii
    |sūtīšanas\s+ierobežojum|siuntimo\s+limit""",
    re.VERBOSE,
)
_LIMIT_STATUS = re.compile(
    r"\b5\.4\.5\b.{0,80}(?:limit|quota)|(?:limit|quota)\s+exceeded.{0,120}\b5\.4\.5\b", re.DOTALL
)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w./+-]{1,60})")
_ANSWERED = re.compile(r"(?:re|fw|fwd|aw|wg|sv|tr|rv)\s*:")
_GOOGLE_DAEMON = re.compile(r"^mailer-daemon@(?:[\w-]+\.)*(?:google|googlemail|gmail)\.com$")


def is_daemon(mail: Mail, strictly: bool = False) -> bool:
    """Is the sender a mail server by address or name (mailer-daemon, postmaster, "Mail Delivery System")?

    strictly: only names that no person answers to, so not postmaster.
    """
    sender = mail.sender or (mail.from_[0] if mail.from_ else None)
    if sender is None:
        return _DAEMON.match(fold(mail.headers.get("from") or "").strip("<>\"' ")[:80]) is not None
    local = sender.key.rpartition("@")[0] or sender.key
    local = local.strip("<>\"' ")
    if strictly:
        return local.startswith(("mailer-daemon", "mailer_daemon", "maildaemon", "mail-daemon"))
    if _DAEMON.match(local):
        return True
    return _DAEMON_NAME.search(fold(sender.name)[:120]) is not None


def has_null_return_path(mail: Mail) -> bool:
    """Was it sent from the null sender, as RFC 5321 wants of notices?"""
    return any(
        value.strip() in {"<>", "<MAILER-DAEMON>", "<mailer-daemon>", "MAILER-DAEMON"}
        for value in mail.headers.get_all("return-path")
    )


def has_null_sender(mail: Mail) -> bool:
    """Does the From name nobody, `<>`, as servers write where they have no name for themselves?"""
    return not mail.from_ and (mail.headers.get("from") or "").rstrip().endswith("<>")


def is_submitted_by_machine(mail: Mail) -> bool:
    """Does Auto-Submitted (RFC 3834) say anything but "no"?"""
    value = fold(mail.headers.get("auto-submitted") or "").strip()
    return bool(value) and not value.startswith("no")


def report_type(mail: Mail) -> str:
    """`report-type` of a multipart/report, lower case; empty where there is none."""
    value = mail.headers.get("content-type") or ""
    if value.isascii() and "/report" not in value.lower():
        return ""
    value = fold(value)[:1000]
    if not value.lstrip().startswith("multipart/report"):
        return ""
    found = _REPORT_TYPE.search(value)
    return found[1] if found else ""


def has_failure_subject(mail: Mail) -> bool:
    """A subject such as mail servers give to notices of failed delivery."""
    return _names_failure(_subject(mail))


@lru_cache(maxsize=256)
def _names_failure(subject: str) -> bool:
    if subject.isascii() and not any(stem in subject for stem in _FAILURE_STEMS):
        return False
    return _FAILURE_SUBJECT.search(subject) is not None


def has_delay_subject(mail: Mail) -> bool:
    """A subject such as mail servers give to notices of delayed delivery."""
    return _DELAY_SUBJECT.search(_subject(mail)) is not None


def _subject(mail: Mail) -> str:
    return _folded(mail.subject)


@lru_cache(maxsize=256)
def _folded(subject: str) -> str:
    return fold(plain(subject))[:300]


def is_header_only(mail: Mail) -> bool:
    """Was only the header read (format=metadata), so that the body can prove nothing?"""
    return (
        mail.text is None
        and mail.html is None
        and not mail.attachments
        and not mail.delivery_status
        and not mail.embedded
    )


def headers_say_notice(mail: Mail) -> bool:
    """Do the headers alone show a delivery notice: failure, delay or limit (S9)?"""
    if report_type(mail) == "delivery-status" or "x-failed-recipients" in mail.headers:
        return True
    named = has_failure_subject(mail) or has_delay_subject(mail)
    if is_daemon(mail):
        return named or has_null_return_path(mail) or is_submitted_by_machine(mail)
    return has_null_return_path(mail) and named and not is_reply_subject(mail)


def is_reply_subject(mail: Mail) -> bool:
    """A person who answers or forwards a notice keeps its subject behind a prefix."""
    return _ANSWERED.match(_subject(mail)) is not None


def is_limit_notice(mail: Mail) -> bool:
    """Gmail's "You have reached a limit for sending mail": it is about the mailbox, not about a recipient
    (S20).

    Only From counts, and one address in it: that is what Gmail's own checks of the author speak of.
    """
    if len(mail.from_) != 1 or not _GOOGLE_DAEMON.match(mail.from_[0].key.strip("<> ")):
        return False
    if _LIMIT.search(_subject(mail)):
        return True
    text = fold(" ".join(((mail.text or "") or (mail.html or ""))[:MAX_READ].split()))
    if _LIMIT.search(text):
        return True
    return any(
        _LIMIT_STATUS.search(fold(value)[:500]) is not None
        for group in mail.delivery_status
        for name, value in group
        if name.lower() == "diagnostic-code"
    )
