"""Replies as clients of many languages write them, and what is new in them. Own words."""

# ruff: noqa: E501 - sample mails keep their lines

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """A body, and its new part as a reader would cut it."""

    client: str
    language: str
    text: str
    new: str


# The writer's own words and a sentence that is quoted, by language.
WORDS: dict[str, tuple[str, str]] = {
    "en": ("Thanks, Tuesday suits me.\n\nSee you then,\nBob", "Shall we meet on Tuesday?"),
    "de": ("Danke, Dienstag passt mir gut.\n\nViele Grüße\nBob", "Treffen wir uns am Dienstag?"),
    "fr": ("Merci, mardi me convient.\n\nCordialement,\nBob", "Peut-on se voir mardi ?"),
    "es": ("Gracias, el martes me viene bien.\n\nUn saludo,\nBob", "¿Nos vemos el martes?"),
    "pt": ("Obrigado, terça-feira está ótimo.\n\nAbraço,\nBob", "Podemos falar na terça?"),
    "it": ("Grazie, martedì va bene.\n\nCordiali saluti\nBob", "Ci vediamo martedì?"),
    "nl": ("Dank je, dinsdag is prima.\n\nGroet,\nBob", "Zien we elkaar dinsdag?"),
    "sv": ("Tack, tisdag passar bra.\n\nHälsningar\nBob", "Ska vi ses på tisdag?"),
    "da": ("Tak, tirsdag passer fint.\n\nVenlig hilsen\nBob", "Skal vi mødes tirsdag?"),
    "no": ("Takk, tirsdag passer bra.\n\nHilsen\nBob", "Skal vi møtes tirsdag?"),
    "fi": ("Kiitos, tiistai sopii.\n\nTerveisin\nBob", "Tavataanko tiistaina?"),
    "is": ("Takk, þriðjudagur hentar vel.\n\nKveðja\nBob", "Eigum við að hittast á þriðjudag?"),
    "pl": ("Dziękuję, wtorek mi odpowiada.\n\nPozdrawiam\nBob", "Spotkamy się we wtorek?"),
    "cs": ("Děkuji, úterý se mi hodí.\n\nS pozdravem\nBob", "Sejdeme se v úterý?"),
    "sk": ("Ďakujem, utorok mi vyhovuje.\n\nS pozdravom\nBob", "Stretneme sa v utorok?"),
    "hu": ("Köszönöm, a kedd jó.\n\nÜdvözlettel\nBob", "Találkozunk kedden?"),
    "ro": ("Mulțumesc, marți e bine.\n\nCu stimă\nBob", "Ne vedem marți?"),
    "hr": ("Hvala, utorak odgovara.\n\nPozdrav\nBob", "Vidimo se u utorak?"),
    "sr": ("Хвала, уторак ми одговара.\n\nПоздрав\nБоб", "Видимо се у уторак?"),
    "sl": ("Hvala, torek mi ustreza.\n\nLep pozdrav\nBob", "Se dobimo v torek?"),
    "bg": ("Благодаря, вторник е добре.\n\nПоздрави\nБоб", "Ще се видим ли във вторник?"),
    "ru": ("Спасибо, вторник подходит.\n\nС уважением\nБоб", "Встретимся во вторник?"),
    "uk": ("Дякую, вівторок підходить.\n\nЗ повагою\nБоб", "Зустрінемось у вівторок?"),
    "el": ("Ευχαριστώ, η Τρίτη με βολεύει.\n\nΦιλικά\nBob", "Να βρεθούμε την Τρίτη;"),
    "tr": ("Teşekkürler, salı uygun.\n\nSaygılar\nBob", "Salı günü görüşelim mi?"),
    "ar": ("شكرا، الثلاثاء مناسب.\n\nمع التحية\nبوب", "هل نلتقي يوم الثلاثاء؟"),
    "he": ("תודה, יום שלישי מתאים.\n\nבברכה\nבוב", "ניפגש ביום שלישי?"),
    "fa": ("ممنون، سه‌شنبه خوب است.\n\nبا احترام\nباب", "سه‌شنبه همدیگر را ببینیم؟"),
    "hi": ("धन्यवाद, मंगलवार ठीक है।\n\nसादर\nबॉब", "क्या हम मंगलवार को मिलें?"),
    "th": ("ขอบคุณ วันอังคารสะดวกครับ\n\nด้วยความนับถือ\nบ๊อบ", "เราเจอกันวันอังคารได้ไหม"),
    "vi": ("Cảm ơn, thứ Ba được nhé.\n\nTrân trọng\nBob", "Chúng ta gặp nhau thứ Ba nhé?"),
    "id": ("Terima kasih, Selasa bisa.\n\nSalam\nBob", "Kita bertemu hari Selasa?"),
    "zh": ("谢谢，星期二可以。\n\n此致\n鲍勃", "我们星期二见面好吗？"),
    "zh-TW": ("謝謝，星期二可以。\n\n敬上\n鮑伯", "我們星期二見面好嗎？"),
    "ja": (
        "ありがとうございます。火曜日で結構です。\n\nよろしくお願いします\nボブ",
        "火曜日にお会いできますか。",
    ),
    "ko": ("감사합니다. 화요일 좋습니다.\n\n밥 드림", "화요일에 만날까요?"),
    "ca": ("Gràcies, dimarts em va bé.\n\nSalutacions\nBob", "Ens veiem dimarts?"),
    "et": ("Aitäh, teisipäev sobib.\n\nTervitades\nBob", "Kas kohtume teisipäeval?"),
    "lv": ("Paldies, otrdiena der.\n\nAr cieņu\nBob", "Vai tiekamies otrdien?"),
    "lt": ("Ačiū, antradienis tinka.\n\nPagarbiai\nBob", "Susitinkame antradienį?"),
}

GMAIL: dict[str, str] = {
    "en": "On Mon, Jun 3, 2024 at 10:15 AM Ann Lee <ann@example.com> wrote:",
    "de": "Am Mo., 3. Juni 2024 um 10:15 Uhr schrieb Ann Lee <ann@example.com>:",
    "fr": "Le lun. 3 juin 2024 à 10:15, Ann Lee <ann@example.com> a écrit :",
    "es": "El lun, 3 jun 2024 a las 10:15, Ann Lee (<ann@example.com>) escribió:",
    "pt": "Em seg., 3 de jun. de 2024 às 10:15, Ann Lee <ann@example.com> escreveu:",
    "it": "Il giorno lun 3 giu 2024 alle ore 10:15 Ann Lee <ann@example.com> ha scritto:",
    "nl": "Op ma 3 jun 2024 om 10:15 schreef Ann Lee <ann@example.com>:",
    "sv": "Den mån 3 juni 2024 kl 10:15 skrev Ann Lee <ann@example.com>:",
    "da": "Den man. 3. jun. 2024 kl. 10.15 skrev Ann Lee <ann@example.com>:",
    "no": "man. 3. juni 2024 kl. 10:15 skrev Ann Lee <ann@example.com>:",
    "fi": "ma 3. kesäk. 2024 klo 10.15 Ann Lee (ann@example.com) kirjoitti:",
    "is": "mán., 3. jún. 2024 kl. 10:15 skrifaði Ann Lee <ann@example.com>:",
    "pl": "pon., 3 cze 2024 o 10:15 Ann Lee <ann@example.com> napisał(a):",
    "cs": "po 3. 6. 2024 v 10:15 odesílatel Ann Lee <ann@example.com> napsal:",
    "sk": "po 3. 6. 2024 o 10:15 Ann Lee <ann@example.com> napísal(a):",
    "hu": "Ann Lee <ann@example.com> ezt írta (időpont: 2024. jún. 3., H, 10:15):",
    "ro": "lun., 3 iun. 2024 la 10:15, Ann Lee <ann@example.com> a scris:",
    "hr": "pon, 3. lip 2024. u 10:15 Ann Lee <ann@example.com> napisao je:",
    "sr": "пон, 3. јун 2024. у 10:15 Ann Lee <ann@example.com> је написао/ла:",
    "sl": "V V pon., 3. jun. 2024 ob 10:15 je oseba Ann Lee <ann@example.com> napisala:",
    "bg": "На пн, 3.06.2024 г. в 10:15 Ann Lee <ann@example.com> написа:",
    "ru": "пн, 3 июн. 2024 г. в 10:15, Ann Lee <ann@example.com>:",
    "uk": "пн, 3 черв. 2024 р. о 10:15 Ann Lee <ann@example.com> пише:",
    "el": "Στις Δευ 3 Ιουν 2024 στις 10:15 π.μ., ο χρήστης Ann Lee <ann@example.com> έγραψε:",
    "tr": "Ann Lee <ann@example.com>, 3 Haz 2024 Pzt, 10:15 tarihinde şunu yazdı:",
    "ar": "في الاثنين، ٣ يونيو ٢٠٢٤ في ١٠:١٥ ص تمت كتابة ما يلي بواسطة Ann Lee <\u202aann@example.com\u202c\u200f>:",
    "he": "\u202bבתאריך יום ב׳, 3 ביוני 2024 ב-10:15 מאת \u202aAnn Lee\u202c\u200f <\u202aann@example.com\u202c\u200f>:\u202c",
    "fa": "در تاریخ دوشنبه ۳ ژوئن ۲۰۲۴،\u200f ۱۰:۱۵ Ann Lee <\u202aann@example.com\u202c\u200f> نوشت:",
    "hi": "सोम, 3 जून 2024 को 10:15 am बजे को Ann Lee <ann@example.com> ने लिखा:",
    "th": "ในวันที่ จ. 3 มิ.ย. 2024 เวลา 10:15 Ann Lee <ann@example.com> เขียนว่า:",
    "vi": "Vào Th 2, 3 thg 6, 2024 vào lúc 10:15 Ann Lee <ann@example.com> đã viết:",
    "id": "Pada tanggal Sen, 3 Jun 2024 pukul 10.15 Ann Lee <ann@example.com> menulis:",
    "zh": "Ann Lee <ann@example.com> 于2024年6月3日周一 10:15写道：",
    "zh-TW": "Ann Lee <ann@example.com> 於 2024年6月3日 週一 上午10:15寫道：",
    "ja": "2024年6月3日(月) 10:15 Ann Lee <ann@example.com>:",
    "ko": "2024년 6월 3일 (월) 오전 10:15, Ann Lee <ann@example.com>님이 작성:",
    "ca": "Missatge de Ann Lee <ann@example.com> del dia dl., 3 de juny 2024 a les 10:15:",
    "et": "Kuupäev: E, 3. juuni 2024 kell 10:15 kirjutas kasutaja Ann Lee (<ann@example.com>):",
    "lv": "pirmd., 2024. g. 3. jūn., plkst. 10:15 — lietotājs Ann Lee (<ann@example.com>) rakstīja:",
    "lt": "2024-06-03, pr, 10:15 Ann Lee <ann@example.com> rašė:",
}

APPLE_MAIL: dict[str, str] = {
    "en": "On 3 Jun 2024, at 10:15, Ann Lee <ann@example.com> wrote:",
    "de": "Am 03.06.2024 um 10:15 schrieb Ann Lee <ann@example.com>:",
    "fr": "Le 3 juin 2024 à 10:15, Ann Lee <ann@example.com> a écrit :",
    "es": "El 3 jun 2024, a las 10:15, Ann Lee <ann@example.com> escribió:",
    "pt": "No dia 03/06/2024, às 10:15, Ann Lee <ann@example.com> escreveu:",
    "it": "Il giorno 3 giu 2024, alle ore 10:15, Ann Lee <ann@example.com> ha scritto:",
    "nl": "Op 3 jun 2024, om 10:15 heeft Ann Lee <ann@example.com> het volgende geschreven:",
    "sv": "3 juni 2024 kl. 10:15 skrev Ann Lee <ann@example.com>:",
    "da": "Den 3. jun. 2024 kl. 10.15 skrev Ann Lee <ann@example.com>:",
    "no": "3. juni 2024 kl. 10:15 skrev Ann Lee <ann@example.com>:",
    "fi": "Ann Lee <ann@example.com> kirjoitti 3.6.2024 kello 10.15:",
    "pl": "Wiadomość napisana przez Ann Lee <ann@example.com> w dniu 3 cze 2024, o godz. 10:15:",
    "cs": "3. 6. 2024 v 10:15, Ann Lee <ann@example.com>:",
    "hu": "Ann Lee <ann@example.com> írta (2024. jún. 3. dátummal, 10:15 időpontban):",
    "ru": "3 июня 2024 г., в 10:15, Ann Lee <ann@example.com> написал(а):",
    "uk": "3 черв. 2024 р. о 10:15 Ann Lee <ann@example.com> написав(ла):",
    "tr": "Ann Lee <ann@example.com> şunları yazdı (3 Haz 2024 10:15):",
    "zh": "2024年6月3日 10:15，Ann Lee <ann@example.com> 写道：",
    "ja": "2024/06/03 10:15、Ann Lee <ann@example.com>のメール:",
    "ko": "2024. 6. 3. 오전 10:15, Ann Lee <ann@example.com> 작성:",
}

THUNDERBIRD: dict[str, str] = {
    "en": "On 6/3/24 10:15, Ann Lee wrote:",
    "de": "Am 03.06.24 um 10:15 schrieb Ann Lee:",
    "fr": "Le 03/06/2024 à 10:15, Ann Lee a écrit :",
    "es": "El 3/6/24 a las 10:15, Ann Lee escribió:",
    "pt": "Às 10:15 de 03/06/2024, Ann Lee escreveu:",
    "it": "Il 03/06/24 10:15, Ann Lee ha scritto:",
    "nl": "Op 3-6-2024 om 10:15 schreef Ann Lee:",
    "sv": "Den 2024-06-03 kl. 10:15, skrev Ann Lee:",
    "da": "Den 03.06.2024 kl. 10.15 skrev Ann Lee:",
    "fi": "Ann Lee kirjoitti 3.6.2024 klo 10.15:",
    "pl": "W dniu 3.06.2024 o 10:15, Ann Lee pisze:",
    "cs": "Dne 03. 06. 24 v 10:15 Ann Lee napsal(a):",
    "hu": "2024. 06. 03. 10:15 keltezéssel, Ann Lee írta:",
    "ru": "03.06.2024 10:15, Ann Lee пишет:",
    "uk": "03.06.24 10:15, Ann Lee пише:",
    "ja": "On 2024/06/03 10:15, Ann Lee wrote:",
}

# Further who-wrote lines: of languages that Gmail writes too, and of programs that go their own way.
OTHER_LINES: dict[str, str] = {
    "gmail, Filipino": "Noong Lun, Hun 3, 2024 nang 10:15 AM, sinulat ni Ann Lee <ann@example.com>:",
    "gmail, Swahili": "Mnamo Jum, 3 Jun 2024, 10:15 Asubuhi Ann Lee <ann@example.com> aliandika:",
    "gmail, Georgian": "ორშ, 3 ივნ. 2024, 10:15-ზე Ann Lee <ann@example.com> წერდა:",
    "gmail, Armenian": "Երկ, Հնս 3, 2024 10:15-ին Ann Lee <ann@example.com> գրել է՝",
    "gmail, Bengali": "সোম, ৩ জুন, ২০২৪ এ ১০:১৫ AM তারিখে Ann Lee <ann@example.com> লিখেছেন:",
    "gmail, Tamil": "திங்., 3 ஜூன், 2024, முற்பகல் 10:15 அன்று, Ann Lee <ann@example.com> எழுதியது:",
    "gmail, Urdu": "پیر، 3 جون، 2024 کو 10:15 AM پر Ann Lee <ann@example.com> نے لکھا:",
    "gmail, Marathi": "सोम, 3 जून, 2024 रोजी 10:15 AM वाजता Ann Lee <ann@example.com> ने लिहिले:",
    "gmail, Kazakh": "Дс, 3 мау. 2024 ж. 10:15 уақытында Ann Lee <ann@example.com> жазған:",
    "gmail, Khmer": "នៅថ្ងៃ ចន្ទ 3 មិថុនា 2024 នៅម៉ោង 10:15 AM Ann Lee <ann@example.com> បានសរសេរ៖",
    "thunderbird, Catalan": "El 3/6/24 a les 10:15, Ann Lee ha escrit:",
    "the bat, Russian": "Вы писали 3 июня 2024 г., 10:15:00:",
    "becky": "On Mon, 03 Jun 2024 10:15:00 +0900\nAnn Lee <ann@example.com> wrote:",
    "nmh": "On Mon, 03 Jun 2024 10:15:00 PDT,\nAnn Lee <ann@example.com> writes:",
    "groupwise": ">>> Ann Lee <ann@example.com> 03.06.2024 10:15 >>>",
    "groupwise, without address": '>>> "Ann Lee" 6/3/2024 10:15 AM >>>',
}

GET_OUTLOOK: tuple[str, ...] = (
    "Android 版 Outlook を入手<https://aka.ms/x>",
    "Outlook für iOS beziehen<https://aka.ms/x>",
    "Obtenir Outlook pour iOS<https://aka.ms/x>",
    "Skaffa Outlook för iOS<https://aka.ms/x>",
    "Ottenere Outlook per iOS<https://aka.ms/x>",
    "Pobierz program Outlook dla systemu iOS<https://aka.ms/x>",
    "Получите Outlook для iOS<https://aka.ms/x>",
    "获取 Outlook for iOS<https://aka.ms/x>",
    "iOS için Outlook'u edinin<https://aka.ms/x>",
    "取得 iOS 版 Outlook",
    "Android용 Outlook 다운로드",
    "Von Yahoo Mail auf Android gesendet",
    "Enviat des del meu iPhone",
)
"""Lines of phones that name the program rather than the phone."""

# From, Sent, To, Subject as Outlook writes them.
OUTLOOK: dict[str, tuple[str, str, str, str]] = {
    "en": ("From", "Sent", "To", "Subject"),
    "de": ("Von", "Gesendet", "An", "Betreff"),
    "fr": ("De", "Envoyé", "À", "Objet"),
    "es": ("De", "Enviado", "Para", "Asunto"),
    "pt": ("De", "Enviado", "Para", "Assunto"),
    "it": ("Da", "Inviato", "A", "Oggetto"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp"),
    "sv": ("Från", "Skickat", "Till", "Ämne"),
    "da": ("Fra", "Sendt", "Til", "Emne"),
    "fi": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "pl": ("Od", "Wysłano", "Do", "Temat"),
    "cs": ("Od", "Odesláno", "Komu", "Předmět"),
    "sk": ("Od", "Odoslané", "Komu", "Predmet"),
    "hu": ("Feladó", "Elküldve", "Címzett", "Tárgy"),
    "ro": ("De la", "Trimis", "Către", "Subiect"),
    "hr": ("Od", "Poslano", "Prima", "Predmet"),
    "sl": ("Od", "Poslano", "Za", "Zadeva"),
    "bg": ("От", "Изпратено", "До", "Относно"),
    "ru": ("От", "Отправлено", "Кому", "Тема"),
    "uk": ("Від", "Надіслано", "Кому", "Тема"),
    "el": ("Από", "Στάλθηκε", "Προς", "Θέμα"),
    "tr": ("Kimden", "Gönderildi", "Kime", "Konu"),
    "ar": ("من", "تم الإرسال", "إلى", "الموضوع"),
    "he": ("מאת", "נשלח", "אל", "נושא"),
    "zh": ("发件人", "发送时间", "收件人", "主题"),
    "zh-TW": ("寄件者", "寄件日期", "收件者", "主旨"),
    "ja": ("差出人", "送信日時", "宛先", "件名"),
    "ko": ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
    "th": ("จาก", "ส่ง", "ถึง", "เรื่อง"),
    "vi": ("Từ", "Đã gửi", "Tới", "Chủ đề"),
    "id": ("Dari", "Terkirim", "Kepada", "Subjek"),
    "et": ("Saatja", "Saadetud", "Adressaat", "Teema"),
    "lv": ("No", "Nosūtīts", "Kam", "Tēma"),
    "lt": ("Nuo", "Išsiųsta", "Kam", "Tema"),
}

ORIGINAL_MESSAGE: dict[str, str] = {
    "en": "-----Original Message-----",
    "de": "-----Ursprüngliche Nachricht-----",
    "fr": "-----Message d'origine-----",
    "es": "-----Mensaje original-----",
    "pt": "-----Mensagem original-----",
    "it": "-----Messaggio originale-----",
    "nl": "-----Oorspronkelijk bericht-----",
    "sv": "-----Ursprungligt meddelande-----",
    "da": "-----Oprindelig meddelelse-----",
    "no": "-----Opprinnelig melding-----",
    "fi": "-----Alkuperäinen viesti-----",
    "pl": "-----Wiadomość oryginalna-----",
    "cs": "-----Původní zpráva-----",
    "hu": "-----Eredeti üzenet-----",
    "ro": "-----Mesaj original-----",
    "ru": "-----Исходное сообщение-----",
    "tr": "-----Özgün İleti-----",
    "el": "-----Αρχικό μήνυμα-----",
    "zh": "-----原始邮件-----",
    "zh-TW": "-----原始郵件-----",
    "ja": "-----元のメッセージ-----",
    "ko": "-----원본 메시지-----",
}

SENT_FROM: dict[str, str] = {
    "en": "Sent from my iPhone",
    "de": "Von meinem iPhone gesendet",
    "fr": "Envoyé de mon iPhone",
    "es": "Enviado desde mi iPhone",
    "pt": "Enviado do meu iPhone",
    "it": "Inviato da iPhone",
    "nl": "Verstuurd vanaf mijn iPhone",
    "sv": "Skickat från min iPhone",
    "da": "Sendt fra min iPhone",
    "fi": "Lähetetty iPhonesta",
    "pl": "Wysłane z iPhone'a",
    "cs": "Odesláno z iPhonu",
    "ru": "Отправлено с iPhone",
    "tr": "iPhone'umdan gönderildi",
    "zh": "发自我的iPhone",
    "ja": "iPhoneから送信",
    "ko": "나의 iPhone에서 보냄",
}


def _quoted(text: str) -> str:
    return f"> {text}\n>\n> Ann"


def _wrapped(line: str) -> str:
    """As Gmail wraps: before or inside the address."""
    return line.replace(" <ann@", " <\nann@", 1)


def _outlook(labels: tuple[str, str, str, str], words: str, colon: str = ": ") -> str:
    sender, sent, to, subject = labels
    return (
        f"{sender}{colon}Ann Lee <ann@example.com>\n{sent}{colon}03.06.2024 10:15\n"
        f"{to}{colon}Bob <bob@example.com>\n{subject}{colon}{words}\n\n{words}\n\nAnn"
    )


def _replies() -> list[Reply]:
    replies: list[Reply] = []
    for client, lines in (("gmail", GMAIL), ("apple", APPLE_MAIL), ("thunderbird", THUNDERBIRD)):
        for language, line in lines.items():
            new, quoted = WORDS[language]
            replies.append(Reply(client, language, f"{new}\n\n{line}\n\n{_quoted(quoted)}\n", new))
    for language, line in GMAIL.items():
        new, quoted = WORDS[language]
        if " <ann@" in line:
            wrapped = f"{new}\n\n{_wrapped(line)}\n\n{_quoted(quoted)}\n"
            replies.append(Reply("gmail, wrapped", language, wrapped, new))
        bare = f"{new}\n\n{line}\n\n{quoted}\n\nAnn\n"
        replies.append(Reply("gmail, quoted without marks", language, bare, new))
        below = f"{line}\n\n{_quoted(quoted)}\n\n{new}\n"
        replies.append(Reply("answered below", language, below, new))
    for language, labels in OUTLOOK.items():
        new, quoted = WORDS[language]
        replies.append(Reply("outlook", language, f"{new}\n\n{_outlook(labels, quoted)}\n", new))
        rule = f"{new}\n________________________________\n{_outlook(labels, quoted)}\n"
        replies.append(Reply("outlook on the web", language, rule, new))
        bold = f"{new}\n\n" + "\n".join(
            f"*{name}:* {value}"
            for name, value in zip(
                labels, ("Ann Lee <ann@example.com>", "03.06.2024 10:15", "Bob", quoted), strict=True
            )
        )
        replies.append(Reply("outlook, bold labels", language, f"{bold}\n\n{quoted}\n", new))
        if language == "fr":
            spaced = f"{new}\n\n{_outlook(labels, quoted, ' : ')}\n"
            replies.append(Reply("outlook, space before the colon", language, spaced, new))
        if language in {"zh", "ja"}:
            wide = f"{new}\n\n{_outlook(labels, quoted, '：')}\n"
            replies.append(Reply("outlook, wide colon", language, wide, new))
    for language, line in ORIGINAL_MESSAGE.items():
        new, quoted = WORDS[language]
        replies.append(Reply("original message", language, f"{new}\n\n{line}\n{quoted}\n", new))
    for client, line in OTHER_LINES.items():
        new, quoted = WORDS["en"]
        replies.append(Reply(client, "other", f"{new}\n\n{line}\n\n{_quoted(quoted)}\n", new))
        replies.append(Reply(f"{client}, no marks", "other", f"{new}\n\n{line}\n\n{quoted}\n", new))
        replies.append(Reply(f"{client}, below", "other", f"{line}\n\n{_quoted(quoted)}\n\n{new}\n", new))
    for line in GET_OUTLOOK:
        new, quoted = WORDS["en"]
        phone = f"{new}\n\n{line}\n________________________________\n{_outlook(OUTLOOK['en'], quoted)}\n"
        replies.append(Reply("phone", line, phone, new))
        replies.append(Reply("phone, nothing quoted", line, f"{new}\n\n{line}\n", new))
    rows = "| From | Ann |\n| Date | 06/03/2024 10:15 |\n| To | Bob |\n| Subject | Plan |\nHello"
    for title in ("回复的原邮件", "Replied Message", "Původní e-mail"):
        replies.append(Reply("163 mobile", title, f"Thanks.\n\n---- {title} ----\n{rows}\n", "Thanks."))
    for language, line in SENT_FROM.items():
        new, quoted = WORDS[language]
        phone = f"{new}\n\n{line}\n\n{APPLE_MAIL[language]}\n\n{_quoted(quoted)}\n"
        replies.append(Reply("iphone", language, phone, new))
    return replies


REPLIES: list[Reply] = _replies()

# Bodies in which nothing is quoted, though something looks like it.
NOT_QUOTED: list[str] = [
    "On the other hand, we could wait until Tuesday.\n\nWhat do you think?",
    "On Tuesday I wrote: please call me back. Nobody did.\n\nBob",
    "My notes:\n- price\n- date\n\nFrom: the warehouse in Ghent\nI would start there.",
    "Invitation for an interview:\n\nDate: Wednesday, 5 June 2024\nTime: 10:15\nAddress: 12 Mill Road\n\nBring your papers.",
    "Total: 12.50\nSubject to change: yes\n\nRegards",
    "See:\n\n| From | To |\n| --- | --- |\n| Berlin | Paris |\n\nFine?",
    "News\n\n---------- Dates and places ----------\nDate: 3 June 2024\n\nSee you",
    "I read it in Outlook on Android",
    "Five is > than three.\nAnd x -> y.\n\nBob",
    "She said it at 10:15:\n\nno more delays.",
    "See https://example.com/2024/06/03/he-wrote:this for the text.\n\nBob",
    "------------------------- write below this line -------------------------\n\nI am very happy with it.",
    "Bitte beachten Sie am 03.06.2024 um 10:15 Folgendes:\n\nDer Eingang ist hinten.",
]
