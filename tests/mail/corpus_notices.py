"""Notices of mail servers and other machines' mail, as the wild sends them. Own words."""

# ruff: noqa: E501 - sample mails keep their lines

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """A raw mail, its kind, and what a delivery notice says."""

    name: str
    raw: bytes
    kind: str
    recipients: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    permanent: bool = True
    status: str | None = None


def _raw(headers: str, body: str) -> bytes:
    return (headers.strip("\n") + "\n\n" + body.strip("\n") + "\n").replace("\n", "\r\n").encode()


def _report(
    text: str,
    fields: str,
    *,
    sender: str = "Mail Delivery Subsystem <mailer-daemon@mx.example.net>",
    subject: str = "Undelivered Mail Returned to Sender",
    extra: str = "",
    returned: str = "Message-ID: <sent-1@crm.example.com>\nFrom: bob@example.com\nTo: carl@example.org\nSubject: Offer",
) -> bytes:
    return _raw(
        f"""From: {sender}
To: bob@example.com
Return-Path: <>
Subject: {subject}
Message-ID: <notice-1@mx.example.net>
Auto-Submitted: auto-replied
{extra}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
""",
        f"""--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}

--b
Content-Type: message/delivery-status

{fields}

--b
Content-Type: message/rfc822

{returned}

Hello Carl
--b--
""",
    )


REPORTS: list[Notice] = [
    Notice(
        "a notice that a filter wrapped whole",
        _raw(
            """From: postmaster@mx.example.net
To: bob@example.com
Subject: Delivery Status Notification (Failure)
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="w\"""",
            """--w
Content-Type: message/rfc822

From: Mail Delivery Subsystem <MAILER-DAEMON@inner.example.net>
To: bob@example.com
Subject: Returned mail: User unknown
Content-Type: multipart/report; report-type=delivery-status; boundary="r"

--r
Content-Type: text/plain

   ----- The following addresses had permanent delivery errors -----
carl@example.org

--r--
--w
Content-Type: text/plain

This mail is confidential and was scanned.
--w--""",
        ),
        "bounce",
        ("carl@example.org",),
    ),
    Notice(
        "a filter that gives its notice the id of the mail",
        _raw(
            """From: MAILER-DAEMON <>
To: bob@example.com
Return-Path: <>
Subject: Undeliverable mail
Message-ID: <sent-7@crm.example.com>""",
            """Your mail could not be delivered to <carl@example.org>: 550 5.1.1 no such user

--- The original message follows ---
From: bob@example.com
To: carl@example.org
Message-ID: <sent-7@crm.example.com>
Subject: Offer""",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-7@crm.example.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "two recipients without a blank line between them",
        _report(
            "Some addresses failed",
            "Reporting-MTA: dns; mx.example.net\nFinal-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.2.2\n"
            "Final-Recipient: rfc822; dora@example.org\nAction: failed\nStatus: 5.1.1",
        ),
        "bounce",
        ("carl@example.org", "dora@example.org"),
        ("<sent-1@crm.example.com>",),
        True,
        "5.2.2",
    ),
    Notice(
        "more addresses failed than the header names",
        _raw(
            """From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
To: bob@example.com
Subject: Returned mail: Host unknown""",
            """   ----- Transcript of session follows -----
554 <carl@example.org>... 550 Host unknown
554 <dora@example.edu>... 550 Host unknown

   ----- Unsent message follows -----
From: bob@example.com
To: carl@example.org
Message-ID: <sent-8@crm.example.com>
Subject: Offer""",
        ),
        "bounce",
        ("carl@example.org", "dora@example.edu"),
        ("<sent-8@crm.example.com>",),
    ),
    Notice(
        "sent to one address, failed at another",
        _raw(
            """From: System Administrator <postmaster@mx.example.net>
To: bob@example.com
Subject: Undeliverable: Offer""",
            """Your message

  To:      team@example.org
  Subject: Offer

did not reach the following recipient(s):

carl@inside.example.org on Thu, 6 Jun 2024 10:00:00 +0200
    The recipient name is not recognized""",
        ),
        "bounce",
        ("carl@inside.example.org",),
    ),
    Notice(
        "an alias and where it leads, in words",
        _raw(
            """From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
To: bob@example.com
Subject: Returned mail: User unknown""",
            """   ----- The following addresses had permanent fatal errors -----
carl.m@provider.example
    (expanded from: <carl@example.org>)""",
        ),
        "bounce",
        ("carl.m@provider.example", "carl@example.org"),
    ),
    Notice(
        "one's own address",
        _raw(
            """From: MAILER-DAEMON@mx.example.net
To: bob@example.com
Return-Path: <>
Subject: failure notice""",
            """Sorry, this mail could not be delivered.

<bob@example.com>:
552 5.2.2 disk quota exceeded""",
        ),
        "bounce",
        ("bob@example.com",),
        (),
        True,
        "5.2.2",
    ),
    Notice(
        "a name on the notice's own server",
        _raw(
            """From: Mail Delivery Subsystem <MAILER-DAEMON@provider.example>
To: bob@example.com
Subject: Mail Delivery Problem""",
            """Your mail to the following recipients could not be delivered since they take no attachments:
	carl77""",
        ),
        "bounce",
        ("carl77@provider.example",),
    ),
    Notice(
        "header lines of the returned mail among the words of a report",
        _report(
            "Your mail was refused.\n\nOriginal message headers:\n\nReceived: from a by b\nMIME-Version: 1.0\nTo: carl@example.org\n"
            "Subject: Offer\nMessage-ID: <sent-9@crm.example.com>",
            "Final-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 refused",
        ).replace(b"message/rfc822", b"text/html"),
        "bounce",
        ("carl@example.org",),
        ("<sent-9@crm.example.com>",),
        True,
        "5.7.1",
    ),
    Notice(
        "no sender, no words but one line",
        _raw(
            """From: <>
To: bob@example.com
Return-Path: <>
Auto-Submitted: auto-replied
In-Reply-To: <sent-10@crm.example.com>""",
            "You sent mail to carl@example.org. That is not a valid user here.",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-10@crm.example.com>",),
    ),
    Notice(
        "postfix",
        _report(
            "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered.",
            "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <carl@example.org>: Recipient address rejected: User unknown",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "gmail, address not found",
        _report(
            "** Address not found **\n\nYour message wasn't delivered to carl@example.org because the address couldn't be found.",
            "Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; bob@example.com\nArrival-Date: Mon, 03 Jun 2024 03:15:00 -0700 (PDT)\n"
            "X-Original-Message-ID: <CAx1@mail.gmail.com>\n\nFinal-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.",
            sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            subject="Delivery Status Notification (Failure)",
            extra="X-Failed-Recipients: carl@example.org\nIn-Reply-To: <CAx1@mail.gmail.com>\nReferences: <CAx1@mail.gmail.com>\n",
            returned="From: bob@example.com\nTo: carl@example.org\nMessage-ID: <CAx1@mail.gmail.com>\nSubject: Offer",
        ),
        "bounce",
        ("carl@example.org",),
        ("<CAx1@mail.gmail.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "gmail, empty delivery status",
        _report(
            "** Message not delivered **\n\nYou're sending this from a different address using the 'Send mail as' feature. The settings are misconfigured.",
            "",
            sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            subject="Delivery Status Notification (Failure)",
            extra="X-Failed-Recipients: carl@example.org, dora@example.org\nIn-Reply-To: <CAx2@mail.gmail.com>\n",
            returned="X-Gmail-Original-Message-ID: <own-2@crm.example.com>\nMessage-ID: <CAx2@mail.gmail.com>\nTo: carl@example.org",
        ),
        "bounce",
        ("carl@example.org", "dora@example.org"),
        ("<CAx2@mail.gmail.com>", "<own-2@crm.example.com>"),
    ),
    Notice(
        "gmail, delivery incomplete",
        _report(
            "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to u-7f3@bcc.example.com. "
            "Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently.",
            "Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; u-7f3@bcc.example.com\nAction: delayed\nStatus: 4.4.1\n"
            "Diagnostic-Code: smtp; The recipient server did not accept our requests to connect.\nWill-Retry-Until: Wed, 05 Jun 2024 03:15:00 -0700",
            sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            subject="Delivery Status Notification (Delay)",
            extra="In-Reply-To: <CAx3@mail.gmail.com>\n",
            returned="Message-ID: <CAx3@mail.gmail.com>\nTo: carl@example.org\nBcc: u-7f3@bcc.example.com",
        ),
        "delay",
        ("u-7f3@bcc.example.com",),
        ("<CAx3@mail.gmail.com>",),
        False,
        "4.4.1",
    ),
    Notice(
        "exchange online",
        _report(
            "Your message to carl@example.org couldn't be delivered.\n\ncarl wasn't found at example.org.",
            "Reporting-MTA: dns;AM0PR01MB1234.eurprd01.prod.exchangelabs.com\n\nFinal-Recipient: rfc822;carl@example.org\nAction: failed\n"
            "Status: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient carl@example.org not found by SMTP address lookup",
            sender="Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>",
            subject="Undeliverable: Offer",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.1.10",
    ),
    Notice(
        "alias that leads elsewhere, mailbox full",
        _report(
            "The following addresses had delivery problems",
            "Reporting-MTA: dns; mx.example.net\n\nOriginal-Recipient: rfc822;carl@example.org\nFinal-Recipient: rfc822; carl.m@provider.example\n"
            "Action: failed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 The email account that you tried to reach is over quota",
        ),
        "bounce",
        ("carl@example.org", "carl.m@provider.example"),
        ("<sent-1@crm.example.com>",),
        False,
        "4.2.2",
    ),
    Notice(
        "one delivered, one failed",
        _report(
            "Some of your recipients",
            "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; dora@example.org\nAction: delivered\nStatus: 2.0.0\n\n"
            "Final-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.7.1",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.7.1",
    ),
    Notice(
        "generic status, telling diagnosis",
        _report(
            "Could not deliver",
            "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; carl@example.org\nAction: failed\nStatus: 5.0.0\n"
            "Diagnostic-Code: smtp; 550 5.7.26 This mail is unauthenticated (203.0.113.5)",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.7.26",
    ),
]

PROSE: list[Notice] = [
    Notice(
        "qq, an address between wide signs",
        _raw(
            """From: PostMaster@qq.com
To: bob@example.com
Subject: 来自qq.com的退信
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit""",
            """抱歉，您的邮件被退回来了……
收件人：carl@example.org
退信原因：收件人邮件地址（carl@example.org）不存在，邮件无法送达。
host example.org said: 550 5.1.1 User unknown""",
        ),
        "bounce",
        ("carl@example.org",),
        (),
        True,
        "5.1.1",
    ),
    Notice(
        "italian certified mail",
        _raw(
            """From: posta-certificata@pec.example.it
To: bob@example.com
Subject: AVVISO DI MANCATA CONSEGNA: Offerta
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit""",
            """Avviso di mancata consegna

Nel messaggio "Offerta" proveniente da "bob@example.com" e destinato all'utente "carl@example.org" è stato
rilevato un errore 5.1.1 - indirizzo non valido. Il messaggio è stato rifiutato dal sistema.""",
        ),
        "bounce",
        ("carl@example.org",),
        (),
        True,
        "5.1.1",
    ),
    Notice(
        "qmail",
        _raw(
            "From: MAILER-DAEMON@mx.example.net\nTo: bob@example.com\nReturn-Path: <>\nSubject: failure notice\nMessage-ID: <n@mx.example.net>",
            """Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<carl@example.org>:
203.0.113.9 does not like recipient.
Remote host said: 550 5.1.1 <carl@example.org>: User unknown
Giving up on 203.0.113.9.

--- Below this line is a copy of the message.

Return-Path: <bob@example.com>
Received: from mail.example.com by mx.example.net
Message-ID: <sent-1@crm.example.com>
To: carl@example.org
Subject: Offer

Hello Carl""",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "exim",
        _raw(
            "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nTo: bob@example.com\nX-Failed-Recipients: carl@example.org\n"
            "Auto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\nMessage-ID: <n@mx.example.net>",
            """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  carl@example.org
    host mx.example.org [203.0.113.9]
    SMTP error from remote mail server after RCPT TO:<carl@example.org>:
    550 5.1.1 <carl@example.org>: Recipient address rejected

------ This is a copy of the message, including all the headers. ------

Return-path: <bob@example.com>
Received: from mail.example.com by mx.example.net with esmtp
Message-ID: <sent-1@crm.example.com>
To: carl@example.org
Subject: Offer

Hello Carl""",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "exim, still trying",
        _raw(
            "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nTo: bob@example.com\nAuto-Submitted: auto-replied\n"
            "Return-Path: <>\nSubject: Warning: message 1sEabc-0001 delayed 24 hours\nMessage-ID: <n@mx.example.net>",
            """This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mx.example.net.

The message identifier is:     1sEabc-0001
The subject of the message is: Offer

The address to which the message has not yet been delivered is:

  carl@example.org
    Delay reason: Connection timed out

No action is required on your part. Delivery attempts will continue for
some time.""",
        ),
        "delay",
        ("carl@example.org",),
        (),
        False,
    ),
    Notice(
        "old gmail",
        _raw(
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nTo: bob@example.com\nX-Failed-Recipients: carl@example.org\n"
            "Return-Path: <>\nSubject: Delivery Status Notification (Failure)\nMessage-ID: <n@google.com>",
            """Delivery to the following recipient failed permanently:

     carl@example.org

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain.

The error that the other server returned was:
550 5.1.1 <carl@example.org>... User Unknown

----- Original message -----

MIME-Version: 1.0
Received: by 10.0.0.1 with SMTP id abc
Message-ID: <sent-1@crm.example.com>
Subject: Offer
To: carl@example.org

Hello Carl""",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
        True,
        "5.1.1",
    ),
    Notice(
        "domino",
        _raw(
            "From: Postmaster@mail.example.org\nTo: bob@example.com\nMessage-ID: <n@mail.example.org>\n"
            "Subject: DELIVERY FAILURE: User Carl (carl@example.org) not listed in Domino Directory",
            """Your message

  Subject: Offer

was not delivered to:

  carl@example.org

because:

  User Carl (carl@example.org) not listed in Domino Directory""",
        ),
        "bounce",
        ("carl@example.org",),
    ),
    Notice(
        "sendmail, mailbox full",
        _raw(
            "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>\nTo: bob@example.com\nReturn-Path: <MAILER-DAEMON>\n"
            "Subject: Returned mail: see transcript for details\nMessage-ID: <n@mx.example.net>",
            """The original message was received at Mon, 3 Jun 2024 10:15:00 +0200
from mail.example.com [203.0.113.5]

   ----- The following addresses had permanent fatal errors -----
<carl@example.org>
    (reason: 452 4.2.2 Mailbox full)

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> DATA
<<< 452 4.2.2 Mailbox full""",
        ),
        "bounce",
        ("carl@example.org",),
        (),
        False,
        "4.2.2",
    ),
    Notice(
        "yahoo",
        _raw(
            "From: MAILER-DAEMON@yahoo.com\nTo: bob@example.com\nSubject: Failure Notice\nMessage-ID: <n@yahoo.com>",
            """Sorry, we were unable to deliver your message to the following address.

<carl@example.org>:
No MX or A records for example.org

--- Below this line is a copy of the message.

Received: from 203.0.113.5 by mta.example.net
Message-ID: <sent-1@crm.example.com>
To: carl@example.org
Subject: Offer

Hello""",
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>",),
    ),
    Notice(
        "amazon ses by sns",
        _raw(
            "From: AWS Notifications <no-reply@sns.amazonaws.com>\nTo: bob@example.com\nSubject: AWS Notification Message\nMessage-ID: <n@amazonses.com>",
            '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":'
            '[{"emailAddress":"carl@example.org","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},'
            '"mail":{"messageId":"0101-ab","commonHeaders":{"messageId":"<sent-1@crm.example.com>"}}}\n\n--\nIf you wish to stop receiving notifications, click here',
        ),
        "bounce",
        ("carl@example.org",),
        ("<sent-1@crm.example.com>", "<0101-ab@email.amazonses.com>"),
        True,
        "5.1.1",
    ),
    Notice(
        "a filter's rejection (RFC 5429)",
        _raw(
            "From: Mail Delivery Subsystem <postmaster@example.org>\nTo: bob@example.com\nReturn-Path: <>\nAuto-Submitted: auto-replied (rejected)\n"
            'Subject: Automatically rejected mail\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary="b"',
            """--b
Content-Type: text/plain

Your message to <carl@example.org> was automatically rejected:
Quota exceeded
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; carl@example.org
Original-Message-ID: <sent-1@crm.example.com>
Disposition: automatic-action/MDN-sent-automatically; deleted
--b--""",
        ),
        "bounce",
        ("carl@example.org",),
        permanent=False,
    ),
]

# Failure notices of Exchange and others in the language of their administrator: subject and first sentence.
FAILURE_WORDS: dict[str, tuple[str, str]] = {
    "en": ("Undeliverable: Offer", "Your message could not be delivered to the following recipients:"),
    "de": ("Unzustellbar: Angebot", "Ihre Nachricht konnte folgenden Empfängern nicht zugestellt werden:"),
    "fr": ("Non remis : Offre", "Votre message n'a pas pu être remis aux destinataires suivants :"),
    "es": ("No se puede entregar: Oferta", "No se pudo entregar el mensaje a estos destinatarios:"),
    "pt": (
        "Não foi possível entregar: Oferta",
        "Sua mensagem não pôde ser entregue aos seguintes destinatários:",
    ),
    "it": ("Non recapitabile: Offerta", "Impossibile recapitare il messaggio ai seguenti destinatari:"),
    "nl": ("Onbestelbaar: Aanbod", "Uw bericht kan niet worden bezorgd bij de volgende geadresseerden:"),
    "sv": ("Det gick inte att leverera: Offert", "Meddelandet kunde inte levereras till följande mottagare:"),
    "da": ("Kan ikke leveres: Tilbud", "Meddelelsen kunne ikke leveres til følgende modtagere:"),
    "no": ("Kan ikke leveres: Tilbud", "Meldingen kan ikke leveres til følgende mottakere:"),
    "fi": ("Toimittamaton: Tarjous", "Viestiä ei voitu toimittaa seuraaville vastaanottajille:"),
    "pl": ("Niedostarczalne: Oferta", "Nie można dostarczyć wiadomości do następujących adresatów:"),
    "cs": ("Nedoručitelné: Nabídka", "Zprávu nelze doručit následujícím příjemcům:"),
    "sk": ("Nedoručiteľné: Ponuka", "Správa nebola doručená, adresa neexistuje:"),
    "hu": ("Kézbesíthetetlen: Ajánlat", "Az üzenetet nem sikerült kézbesíteni a következő címzetteknek:"),
    "ro": ("Nelivrabil: Ofertă", "Mesajul nu a putut fi livrat următorilor destinatari:"),
    "ru": ("Недоставленное: Предложение", "Не удалось доставить сообщение следующим получателям:"),
    "uk": ("Не доставлено: Пропозиція", "Не вдалося доставити повідомлення таким одержувачам:"),
    "el": ("Μη παραδοτέο: Προσφορά", "Δεν ήταν δυνατή η παράδοση του μηνύματος στους παραλήπτες:"),
    "tr": ("Teslim edilemedi: Teklif", "İletiniz şu alıcılara teslim edilemedi:"),
    "ar": ("تعذر التسليم: عرض", "تعذر تسليم رسالتك إلى المستلمين التاليين:"),
    "he": ("לא ניתן למסירה: הצעה", "לא ניתן היה למסור את ההודעה לנמענים הבאים:"),
    "zh": ("未送达: 报价", "您的邮件无法送达以下收件人:"),
    "zh-TW": ("無法傳遞: 報價", "您的郵件無法傳送給下列收件者:"),
    "ja": ("配信不能: ご提案", "次の受信者にメッセージを配信できませんでした:"),
    "ko": ("배달되지 않음: 제안", "다음 받는 사람에게 메시지를 배달할 수 없습니다:"),
    "th": ("ส่งไม่สำเร็จ: ข้อเสนอ", "ไม่สามารถส่งข้อความของคุณถึงผู้รับต่อไปนี้:"),
    "vi": ("Không gửi được: Đề nghị", "Không thể gửi thư của bạn đến những người nhận sau:"),
    "id": ("Tidak terkirim: Penawaran", "Pesan Anda tidak dapat dikirim ke penerima berikut:"),
}


def _in_language(language: str) -> Notice:
    subject, sentence = FAILURE_WORDS[language]
    raw = _raw(
        f"From: postmaster@example.org\nTo: bob@example.com\nSubject: {subject}\nMessage-ID: <n@example.org>\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit",
        f"{sentence}\n\n  carl@example.org\n\nBob\n",
    )
    return Notice(f"plain, {language}", raw, "bounce", ("carl@example.org",))


BOUNCES: list[Notice] = [*REPORTS, *PROSE, *(_in_language(language) for language in FAILURE_WORDS)]

LIMIT_WORDS: dict[str, str] = {
    "en": "You have reached a limit for sending mail. Your message was not sent.",
    "de": "Sie haben ein Limit für das Senden von E-Mails erreicht. Ihre Nachricht wurde nicht gesendet.",
    "fr": "Vous avez atteint une limite d'envoi d'e-mails. Votre message n'a pas été envoyé.",
    "es": "Has alcanzado un límite de envío de correos. No se ha enviado tu mensaje.",
    "pt": "Você atingiu um limite de envio de e-mails. Sua mensagem não foi enviada.",
    "it": "Hai raggiunto un limite per l'invio di email. Il messaggio non è stato inviato.",
    "nl": "Je hebt een limiet voor het verzenden van e-mail bereikt. Je bericht is niet verzonden.",
    "ru": "Вы достигли лимита на отправку писем. Ваше сообщение не отправлено.",
    "ja": "メール送信の上限に達しました。メッセージは送信されませんでした。",
    "ko": "메일 전송 한도에 도달했습니다. 메일이 전송되지 않았습니다.",
    "zh": "您已达到发送邮件的上限。您的邮件未发送。",
}

# Subjects of answers that nobody wrote.
AWAY_SUBJECTS: dict[str, str] = {
    "en": "Automatic reply: Offer",
    "de": "Automatische Antwort: Angebot",
    "fr": "Réponse automatique : Offre",
    "es": "Respuesta automática: Oferta",
    "pt": "Resposta automática: Oferta",
    "it": "Risposta automatica: Offerta",
    "nl": "Automatisch antwoord: Aanbod",
    "sv": "Automatiskt svar: Offert",
    "da": "Automatisk svar: Tilbud",
    "no": "Automatisk svar: Tilbud",
    "fi": "Automaattinen vastaus: Tarjous",
    "pl": "Automatyczna odpowiedź: Oferta",
    "cs": "Automatická odpověď: Nabídka",
    "sk": "Automatická odpoveď: Ponuka",
    "hu": "Automatikus válasz: Ajánlat",
    "ro": "Răspuns automat: Ofertă",
    "hr": "Automatski odgovor: Ponuda",
    "ru": "Автоматический ответ: Предложение",
    "uk": "Автоматична відповідь: Пропозиція",
    "bg": "Автоматичен отговор: Оферта",
    "el": "Αυτόματη απάντηση: Προσφορά",
    "tr": "Otomatik yanıt: Teklif",
    "ar": "رد تلقائي: عرض",
    "he": "מענה אוטומטי: הצעה",
    "zh": "自动回复: 报价",
    "zh-TW": "自動回覆: 報價",
    "ja": "自動応答: ご提案",
    "ko": "자동 회신: 제안",
    "th": "ตอบกลับอัตโนมัติ: ข้อเสนอ",
    "vi": "Trả lời tự động: Đề nghị",
    "id": "Balasan otomatis: Penawaran",
    "en, Lotus": "Bob Jones is out of the office (returning 06/10/2024)",
    "en, Gmail": "Out of office Re: Offer",
    "de, Notes": "Abwesenheitsnotiz: Angebot",
    "ja, office": "【自動返信】お問い合わせありがとうございます",
}
