"""Mails that the fuzz target starts from, and the pieces that it laces them with."""

from __future__ import annotations

from datetime import UTC, datetime

from mail.compose import OutgoingFile, compose
from mail.message import Address

_COMPOSED = compose(
    from_=Address("Zoë Müller", "zoe@example.com"),
    to=[Address("Doe, John", "john@example.net"), Address("山田太郎", "taro@example.jp")],
    cc=[Address("", "c@example.org")],
    subject="Grüße aus Köln: 你好, שלום",
    text="Hallo,\n\nwie besprochen.\n\n> Am Montag schrieb John:\n> ja\n",
    html="<p>Hallo,</p><p>wie <b>besprochen</b>.<img src='cid:logo@x'></p><blockquote>ja</blockquote>",
    attachments=[
        OutgoingFile("Überblick – 2026.pdf", "application/pdf", b"%PDF-1.4 " + bytes(range(256))),
        OutgoingFile("logo.png", "image/png", b"\x89PNG\r\n", "logo@x"),
    ],
    date=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    message_id="<1@example.com>",
    in_reply_to="<0@example.net>",
    references=["<a@example.net>", "<0@example.net>"],
)

_BOUNCE = b"""From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: bob@example.com
Subject: Delivery Status Notification (Failure)
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=UTF-8

Address not found. Your message wasn't delivered to nobody@example.org.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com

Final-Recipient: rfc822; nobody@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550-5.1.1 The email account does not exist

--b1
Content-Type: message/rfc822

From: bob@example.com
To: nobody@example.org
Subject: =?koi8-r?B?8NLJ18XU?=
Message-ID: <orig@example.com>

hello
--b1--
"""

_ODD = b"""From: =?utf-8?Q?Doe,_John?= <j@example.com>, "Jane <k@example.com>
To: undisclosed-recipients:;
Cc: Team: a@example.com, Joe <d@example.com>;, "a b"@example.com
Date: Tue, 31 Feb 2026 25:61:61 +9999
Message-ID: <<broken id@>
References: <a@b> <c@d
 <e@f> plain@id
Subject: =?utf-8?B?w6k=?= =?iso-2022-jp?B?GyRCJDMbKEI=?= =?x-none?Q?=E9?= caf\xe9
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=koi8-r; format=flowed; delsp=yes
Content-Transfer-Encoding: 8bit

\xf0\xd2\xc9\xd7\xc5\xd4\x20
\xcd\xc9\xd2
> quoted\x20
> more
On Mon, Jan 1, 2026 at 10:00 AM Ann <ann@example.com> wrote:
> hi
--x
Content-Type: text/html; charset=gb2312

<html><body bgcolor="black" onload="x()"><style>p{}</style>
<p style="display:none">no</p>\xc4\xe3\xba\xc3<script>1</script>
<table><tr><td>a<td>b</table><a href="javascript:x">l</a><img src="http://example.com/p.gif"></body></html>
--x
Content-Type: application/ms-tnef; name=winmail.dat
Content-Transfer-Encoding: base64

eJ8+IgAAAQaQCAAEAAAAAAABAAEAAQeQBgAIAAAA5AQAAAAAAADoAAEIgAcAGAAAAElQTS5NaWNyb3NvZnQgTWFpbC5Ob3RlADEI
--x
Content-Disposition: attachment; filename*0*=iso-8859-1'de'%FCber; filename*1=sicht.txt
Content-Type: text/x-unknown

begin 644 a
--x
Content-Type: text/calendar; method=REPLY

BEGIN:VCALENDAR
METHOD:REPLY
END:VCALENDAR
--x--
"""

_FORWARD = b"""From: ann@example.com\r
To: bob@example.com\r
Subject: Fwd: plan\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset="utf-8"\r
Content-Transfer-Encoding: quoted-printable\r
\r
FYI =C3=A9\r
\r
---------- Forwarded message ---------\r
From: Carl <carl@example.org>\r
Date: Mon, Jan 5, 2026 at 9:00=\r
 AM\r
Subject: plan\r
To: <ann@example.com>\r
\r
The plan.\r
"""

SEEDS: tuple[bytes, ...] = (_COMPOSED, _BOUNCE, _ODD, _FORWARD, b"", b"\n", b"hello", b"From: a@b\n\nx")

TOKENS: tuple[bytes, ...] = (
    *(
        b"\x00",
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
    ),
    *(
        b"--x\n",
        b"--x--\n",
        b"--b1\n",
        b"\n--",
        b"--",
        b"=",
        b"=\n",
        b"=20",
        b"=3D",
        b"==",
        b"=?",
        b"?=",
        b"?",
    ),
    *(
        b"=?utf-8?B?",
        b"=?utf-8?Q?a?=",
        b"=?utf-7?B?2AAg?=",
        b"=?punycode?Q?a-b?=",
        b"=?utf-8?Q?=00?=",
        b"=?a?b?c",
    ),
    *(
        b'"',
        b'\\"',
        b"<",
        b">",
        b"<>",
        b"(",
        b")",
        b",",
        b";",
        b":",
        b"@",
        b"a@b.c",
        b"<a@b.c>,",
        b'"a" <a@b>,',
    ),
    *(b"From: ", b"\nTo: ", b"\nReferences: ", b"<a@b> ", b"\nDate: ", b"\nSubject: Re: Fwd: ", b"\nX: y"),
    *(b"\nContent-Type: ", b"multipart/mixed; boundary=x\n\n", b"message/rfc822\n\n", b"text/html\n\n"),
    *(b"\nContent-Transfer-Encoding: base64\n\n", b"; charset=utf-7", b"; charset=utf-16", b"; charset=hz"),
    *(b"; name*0*=", b"; name*1=a", b"; a=b", b"utf-8''%E9", b"%", b"; boundary="),
    *(
        b"<div>",
        b"<p>",
        b"</p>",
        b"<b>",
        b"<table><td>",
        b"<a ",
        b"<a href='",
        b"<!--",
        b"-->",
        b"<script>",
        b"<svg>",
    ),
    *(
        b"<style>",
        b"<blockquote>",
        b"<blockquote type=cite>",
        b"<p hidden>",
        b"style='margin:-1px;",
        b"url(",
        b"&",
    ),
    *(
        b"&#",
        b"&#xd800;",
        b"&#0;",
        b"&#99999999999999999999;",
        b"<font><p>",
        b"<a><div>",
        b"x=1 ",
        b"<img src='",
    ),
    *(
        b"> ",
        b">",
        b"> > ",
        b"On ",
        b"On Mon, Ann <a@b> wrote:\n",
        b"wrote:\n",
        b"-- \n",
        b"____\n",
        b"-----\n",
    ),
    *(
        b"---------- Forwarded message ---------\n",
        b"From: a <a@b>\n",
        b"Sent: Monday\n",
        b"a",
        b"a ",
        b"aa bb ",
    ),
    *(
        b"550 5.1.1 <a@b>: unknown\n",
        b"Final-Recipient: rfc822; a@b\n",
        b"Status: 5.1.1\n",
        b"\x1b$B",
        b"\x1b(B",
    ),
    *(
        "\ue000\ue002".encode(),
        "\u202e\u2028".encode(),
        "é".encode(),
        "日本".encode(),
        b"~{",
        b"+AAA-",
        b"begin 644 a\n",
    ),
)
