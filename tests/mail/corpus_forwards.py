"""Forwards as clients of many languages write them, and mails that only look like it. Own words."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mail.corpus_replies import GMAIL as WROTE
from tests.mail.corpus_replies import OUTLOOK as LABELS
from tests.mail.corpus_replies import WORDS


@dataclass(frozen=True)
class Case:
    """One mail: subject and body."""

    client: str
    language: str
    subject: str
    text: str


GMAIL_FROM: dict[str, str] = {
    "en": "From", "de": "Von", "fr": "De", "es": "De", "pt": "De", "it": "Da", "nl": "Van", "sv": "Från",
    "da": "Fra", "no": "Fra", "fi": "Lähettäjä", "pl": "Od", "cs": "Od", "sk": "Od", "hu": "Feladó",
    "ro": "De la", "hr": "Od", "bg": "От", "ru": "От", "uk": "Від", "el": "Από", "tr": "Kimden", "ar": "من",
    "he": "מאת", "zh": "发件人", "zh-TW": "寄件者", "ja": "差出人", "ko": "보낸 사람", "th": "จาก", "vi": "Từ",
    "id": "Dari", "et": "Saatja", "lv": "No", "lt": "Nuo",
}  # fmt: skip

APPLE_MARKER: dict[str, str] = {
    "en": "Begin forwarded message:",
    "de": "Anfang der weitergeleiteten Nachricht:",
    "fr": "Début du message réexpédié :",
    "es": "Inicio del mensaje reenviado:",
    "pt": "Início da mensagem reencaminhada:",
    "it": "Inizio messaggio inoltrato:",
    "nl": "Begin doorgestuurd bericht:",
    "sv": "Vidarebefordrat brev:",
    "da": "Start på videresendt besked:",
    "fi": "Välitetty viesti alkaa:",
    "pl": "Początek przekazywanej wiadomości:",
    "cs": "Začátek přeposílané zprávy:",
    "hu": "Továbbított levél kezdete:",
    "ro": "Începe mesajul redirecționat:",
    "hr": "Započni proslijeđenu poruku:",
    "ru": "Начало переадресованного сообщения:",
    "uk": "Початок листа, що пересилається:",
    "tr": "İleti başlangıcı:",
    "zh": "下面是被转发的邮件：",
    "ja": "転送されたメッセージ:",
    "ko": "전달된 메시지:",
}

THUNDERBIRD_MARKER: dict[str, str] = {
    "en": "-------- Forwarded Message --------",
    "de": "-------- Weitergeleitete Nachricht --------",
    "fr": "-------- Message transféré --------",
    "es": "-------- Mensaje reenviado --------",
    "pt": "-------- Mensagem encaminhada --------",
    "it": "-------- Messaggio inoltrato --------",
    "nl": "-------- Doorgestuurd bericht --------",
    "sv": "-------- Vidarebefordrat meddelande --------",
    "da": "-------- Videresendt meddelelse --------",
    "fi": "-------- Välitetty viesti --------",
    "pl": "-------- Treść przekazanej wiadomości --------",
    "cs": "-------- Přeposlaná zpráva --------",
    "sk": "-------- Preposlaná správa --------",
    "hu": "-------- Továbbított üzenet --------",
    "ro": "-------- Mesaj redirecționat --------",
    "hr": "-------- Proslijeđena poruka --------",
    "ru": "-------- Пересылаемое сообщение --------",
    "uk": "-------- Переслане повідомлення --------",
    "bg": "-------- Препратено съобщение --------",
    "el": "-------- Προωθημένο μήνυμα --------",
    "tr": "-------- İletilen İleti --------",
    "zh": "-------- 转发的消息 --------",
    "ja": "-------- 転送メッセージ --------",
    "ko": "-------- 전달된 메시지 --------",
}

OUTLOOK_PREFIX: dict[str, str] = {
    "en": "FW", "de": "WG", "fr": "TR", "es": "RV", "pt": "ENC", "it": "I", "nl": "FW", "sv": "VB", "da": "VS",
    "fi": "VL", "pl": "PD", "cs": "FW", "sk": "FW", "hu": "FW", "ro": "FW", "hr": "FW", "ru": "FW", "uk": "FW",
    "el": "ΠΡΘ", "tr": "İLT", "ar": "إعادة توجيه", "he": "הועבר", "zh": "转发", "zh-TW": "轉寄", "ja": "FW",
    "ko": "전달",
}  # fmt: skip


def _block(labels: tuple[str, str, str, str], subject: str) -> str:
    sender, sent, to, about = labels
    return (
        f"{sender}: Ann Lee <ann@example.com>\n{sent}: 03.06.2024 10:15\n{to}: Bob <bob@example.com>\n"
        f"{about}: {subject}"
    )


def _forwards() -> list[Case]:
    cases: list[Case] = []
    for language, sender in GMAIL_FROM.items():
        new, words = WORDS[language]
        head = (
            f"---------- Forwarded message ---------\n{sender}: Ann Lee <ann@example.com>\n"
            f"Date: Mon, Jun 3, 2024 at 10:15 AM\nSubject: {words}\nTo: <bob@example.com>"
        )
        cases.append(Case("gmail", language, f"Fwd: {words}", f"{new}\n\n{head}\n\n\n{words}\n"))
        cases.append(Case("gmail, nothing added", language, f"Fwd: {words}", f"{head}\n\n\n{words}\n"))
    for language, marker in APPLE_MARKER.items():
        new, words = WORDS[language]
        labels = LABELS.get(language, LABELS["en"])
        block = _block(labels, words)
        quoted = "\n".join(f"> {line}" for line in f"{marker}\n\n{block}\n\n{words}".split("\n"))
        cases.append(Case("apple", language, f"Fwd: {words}", f"{new}\n\n{quoted}\n"))
        beside = "\n".join(f"> {line}" for line in f"{block}\n\n{words}".split("\n"))
        cases.append(Case("iphone", language, f"Fwd: {words}", f"{new}\n\n{marker}\n\n{beside}\n"))
    for language, marker in THUNDERBIRD_MARKER.items():
        new, words = WORDS[language]
        block = _block(LABELS.get(language, LABELS["en"]), words)
        cases.append(
            Case("thunderbird", language, f"Fwd: {words}", f"{new}\n\n{marker}\n{block}\n\n{words}\n")
        )
        # The subject may have been written anew.
        cases.append(
            Case("thunderbird, other subject", language, words, f"{new}\n\n{marker}\n{block}\n\n{words}\n")
        )
    for language, prefix in OUTLOOK_PREFIX.items():
        new, words = WORDS[language]
        block = _block(LABELS[language], words)
        cases.append(Case("outlook", language, f"{prefix}: {words}", f"{new}\n\n{block}\n\n{words}\n"))
        ruled = f"________________________________\n{block}\n\n{words}\n"
        cases.append(Case("outlook on the web", language, f"{prefix}: {words}", f"{new}\n{ruled}"))
    return cases


_BLOCK = "From: Ann Lee <ann@example.com>\nDate: Mon, Jun 3, 2024\nTo: Bob <bob@example.com>\nSubject: Plan"
_CHINESE = "发件人: Ann Lee <ann@example.com>\n发送时间: 2024-06-03 10:15\n收件人: Bob\n主题: 计划"
_ROWS = "| From | Ann Lee<ann@example.com> |\n| Date | 06/03/2024 10:15 |\n| To | Bob |\n| Subject | Plan |"

# Programs that go their own way: each has the comment "For you." above what it forwards.
OWN_WAYS: list[Case] = [
    Case(client, language, subject, f"For you.\n\n{rest}\n\nHello Bob\n")
    for client, language, subject, rest in (
        ("the bat", "en", "Fwd: Plan", f"This is a forwarded message\n{_BLOCK}"),
        ("the bat", "ru", "Fwd: План", f"Это пересланное сообщение\n{_BLOCK}"),
        ("becky", "ja", "Fw: Plan", f"Forwarded by Bob <bob@example.com>\n---- Original Message ----\n{_BLOCK}"),
        ("qq", "zh", "转发：计划", f"------------------&nbsp;原始邮件&nbsp;------------------\n{_CHINESE}"),
        ("163 web", "zh", "转发:计划", f"-------- 转发邮件信息 --------\n{_CHINESE}"),
        ("163 mobile", "en", "Fw: Plan", f"---- Forwarded Message ----\n{_ROWS}"),
        ("163 mobile, unknown words", "en", "Fw: Plan", f"---- Passed on to you ----\n{_ROWS}"),
        ("notes", "de", "Plan", f"----- Weitergeleitet von Bob/EX am 03.06.2024 10:15 -----\n\n{_BLOCK}"),
        ("notes", "it", "I: Piano", f"----- Inoltrato da Bob/EX il 03/06/2024 10:15 -----\n\n{_BLOCK}"),
        ("seznam", "cs", "Fwd: Plán", f"---------- Původní e-mail ----------\n{_BLOCK}"),
        ("unknown words between dashes", "eo", "Fwd: Plano", f"-------- Iu nekonata titolo --------\n{_BLOCK}"),
        ("outlook", "id", "TRS: Plan", _BLOCK),
        ("outlook", "vi", "CT: Plan", _BLOCK),
        ("squirrelmail", "en", "[Fwd: Plan]", f"---------- Original Message ----------\n{_BLOCK}"),
        ("netscape", "en", "[list] [Fwd: Plan]", f"-------- Original Message --------\n{_BLOCK}"),
    )
]  # fmt: skip

ORANGE = (
    "> Message du 03/06/24 10:15\n> De : Ann Lee <ann@example.com>\n> A : Bob\n> Objet : Plan\n>\n> Bonjour"
)

FORWARDS: list[Case] = [*_forwards(), *OWN_WAYS, Case("orange", "fr", "TR: Plan", f"Voir.\n\n{ORANGE}\n")]


def _not_forwards() -> list[Case]:
    cases: list[Case] = []
    for language, line in WROTE.items():
        new, words = WORDS[language]
        answer = "\n".join(f"> {part}" for part in f"{new}\n\n{words}".split("\n"))
        cases.append(Case("reply", language, f"Re: {words}", f"{new}\n\n{line}\n\n{answer}\n"))
        forwarded = (
            f"> ---------- Forwarded message ---------\n> From: Carl <carl@example.com>\n> Date: Mon, Jun 3, 2024\n"
            f"> Subject: {words}\n> To: <ann@example.com>\n>\n> {words}"
        )
        cases.append(
            Case("reply to a forward", language, f"Re: Fwd: {words}", f"{new}\n\n{line}\n\n{forwarded}\n")
        )
        kept = f"{new}\n\n{line}\n\n{forwarded}\n"
        cases.append(Case("reply that keeps the subject", language, f"Fwd: {words}", kept))
        cases.append(Case("first mail", language, words, f"{new}\n"))
    for language, labels in LABELS.items():
        new, words = WORDS[language]
        cases.append(
            Case("outlook reply", language, f"RE: {words}", f"{new}\n\n{_block(labels, words)}\n\n{words}\n")
        )
    finnish = f"Kiitos!\n\n{_block(LABELS['fi'], 'Tapaaminen')}\n\nTavataanko?\n"
    cases.append(
        Case(
            "talks of a marker",
            "en",
            "A filter",
            "We see lines such as\n\n---------- Forwarded message ---------\n\nCan we strip them?",
        )
    )
    cases.append(Case("outlook reply, VS", "fi", "VS: Tapaaminen", finnish))
    cases.append(
        Case("talks of forwarding", "en", "Your forward", "Please look at the forwarded message: it is new.")
    )
    cases.append(
        Case(
            "an advertisement", "en", "FW: You have won", "Click here and win a house.\n\nhttps://example.com"
        )
    )
    return cases


NOT_FORWARDS: list[Case] = _not_forwards()
