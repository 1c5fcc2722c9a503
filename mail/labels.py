"""The words with which mail clients introduce the mail that they quote or forward, by language.

Tables only: header labels ("Von:", "Enviado:"), "original message" and "forwarded message" lines, subject
prefixes of forwards and replies, and the verbs of "On Monday Ann wrote:". Everything is compared case-
folded, NFC-composed and without marks that clients sprinkle in (asterisks of bold text, directional marks,
no-break spaces).
"""

from __future__ import annotations

import unicodedata
from typing import Literal

Role = Literal["from", "date", "to", "cc", "subject", "other"]

MAX_LABEL = 40
"""Longest text before the colon of a header line that is looked up."""

_DROPPED = dict.fromkeys(
    map(ord, "*\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
)
_SPACES = {0xA0: " ", 0x202F: " ", 0x3000: " ", 0x2009: " "}
_CLEAN = {**_DROPPED, **_SPACES}


def plain(line: str) -> str:
    """A line as the tables know it: without bold marks, directional marks and odd spaces, trimmed."""
    return (line if line.isascii() and "*" not in line else line.translate(_CLEAN)).strip()


def fold(text: str) -> str:
    """Text in the form in which the tables compare."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text).casefold().replace("i\u0307", "i")


def _table(*words: str) -> frozenset[str]:
    return frozenset(fold(word.strip()) for group in words for word in group.split("|") if word.strip())


_ROLES: dict[Role, frozenset[str]] = {
    "from": _table(
        "šalje|expeditorul|送信元|wysłane przez|afsendt af|lähettää|enviado por|envoyé par|inviato da",
        "gesendet von",
        "від кого|daripada",
        "from|von|de|da|van|från|fra|lähettäjä|od|feladó|expéditeur|remitente|remetente|mittente|afzender",
        "avsändare",
        "afsender|avsender|от|від|от кого|отправитель|відправник|от кого|ад|kimden|gönderen|από|αποστολέας",
        "发件人|寄件者|寄件人|發件人|差出人|送信者|送信元|보낸 사람|보낸사람|발신|من|المرسل|מאת|از|फ़्रॉम",
        "प्रेषक|จาก",
        "từ|người gửi|dari|pengirim|saatja|no|nuo|siuntėjas|sūtītājs|frá|sendandi|pošiljatelj|pošiljalac",
        "пошиљалац",
        "odosielateľ|odesílatel|nadawca|feladva|expeditor|de la|подател|од|remitent|igorlea|kimdən",
        "disclosed from|kto",
    ),
    "date": _table(
        "message du|dată|дата та час|відправлено|gönderilen|gönderildiği tarih|日付|dated|sent on",
        "date sent|received|enviada|изпратено на|отправлено на|отправлена|wysłane|data wysłania",
        "date|sent|sent at|datum|gesendet|gesendet am|enviado|enviado el|enviada em|enviado em|fecha|data",
        "envoyé|envoyé le|inviato",
        "verzonden|verzonden op|skickat|sendt|sendt den|lähetetty|dato|wysłano|data wysłania|odesláno",
        "odoslané|dátum|elküldve",
        "küldve|küldés időpontja|trimis|trimis la|data și ora|poslano|poslato|послато|датум|отправлено|дата",
        "надіслано|дата отправки",
        "изпратено|gönderildi|gönderme tarihi|gönderim tarihi|tarih|ημερομηνία|στάλθηκε|发送时间|发送日期",
        "日期|时间|時間",
        "寄件日期|傳送時間|送信日時|日時|日付",
        "보낸 날짜|날짜|보낸날짜|تاريخ الإرسال|تم الإرسال|أرسلت|التاريخ|נשלח|תאריך|تاریخ|ارسال شده|तारीख",
        "दिनांक",
        "भेजा गया|วันที่|ส่ง|ngày|đã gửi|gửi|tanggal|tarikh",
        "dikirim|terkirim|dihantar|kuupäev|saadetud|päivämäärä|päiväys|nosūtīts|datums|išsiųsta",
        "išsiuntimo data|sent on|dags|dagsetning|sent þann|send|dnia",
        "tarixi|göndərildi|data d'enviament|enviat|enviat el|bidalia|datums|creation date",
    ),
    "to": _table(
        "送信先|destinatarul|adresatul|otrzymuje|získává|alici|primatelji|prejemniki|받은 사람",
        "to|an|à|a|para|per|aan|till|til|vastaanottaja|do|komu|címzett|către|catre|prima|za|кому|до|to whom",
        "kime|kim|alıcı|προς",
        "destinataire|destinatario|destinatário|naar|empfänger|mottagare|modtager|mottaker|收件人|收件者",
        "宛先|받는 사람",
        "받는사람|수신|إلى|אל|به|प्रति|को|ถึง|đến|tới|kepada|ke",
        "saaja|kellele|kam|gavėjas|kas|adresāts|viðtakandi|viðtakendur|primatelj|primalac|прима|адресат",
        "получатель|одержувач|príjemca|adresat|destinatar|получател|за|per a|nori|pre",
        "prejemnik|kime",
    ),
    "cc": _table(
        "cc|kopie|copie|cópia|copia|kopia|kopi|kopio|dw|kópia|másolatot kap|másolat|copie carbon|копия",
        "копія|bilgi|κοιν|κοινοποίηση|抄送|副本|副本抄送|참조|نسخة|עותק|רונוشت|สำเนา",
        "cc'd|bcc|cci|cco|ccn|bilgi (cc)|同报|カーボンコピー|tembusan|đồng kính gửi|koopia|kopija|afrit",
        "samrit|udw",
        "kk|кopija",
    ),
    "subject": _table(
        "subiectul|naslov poruke|tárgya|předmět zprávy",
        "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|vec",
        "tárgy|subiect|naslov|zadeva",
        "тема|тэма|предмет|относно|konu|θέμα|主题|主旨|主題|件名|題名|제목|الموضوع|נושא|موضوع|विषय|เรื่อง",
        "หัวเรื่อง",
        "chủ đề|tiêu đề|subjek|perihal|teema|tēma|temats|tema|efni|mövzu|assumpte|gaia",
        "titel|sujet|re|header|subj|temo|ogg|thema",
    ),
    "other": _table(
        "reply-to|reply to|antwort an|répondre à|responder a|rispondi a|attachments|anlagen|pièces jointes",
        "importance|wichtigkeit|priority|mailed-by|organization|organisation",
        "svar til|svara till|vastaus|odpověď|odpovědět na|responder para|antwoord aan|ответ|ответить",
        "відповісти|yanıtla|yanıt adresi|返信先|답장|回复|回复至|reply|date received",
        "message-id|newsgroups|resent-from|resent-to|resent-date|x-mailer|sensitivity|répondre|válasz",
        "válaszcím|odpowiedz do|odpovedať|răspuns|répondre-à",
    ),
}

LABELS: dict[str, Role] = {word: role for role, words in reversed(_ROLES.items()) for word in words}


def label(line: str) -> tuple[Role, str] | None:
    """Role and value of a header line that a client wrote into the body ("Von: Ann <a@b>"); None for other
    lines.

    Looks at no more than the first `MAX_LABEL` characters. `line` is `plain` text already.
    """
    head = line[: MAX_LABEL + 2]
    at = head.find(":")
    wide = head.find("：")
    if wide >= 0 and (at < 0 or wide < at):
        at = wide
    if at <= 0:
        return None
    word = fold(head[:at].strip(" \t[]"))
    role = LABELS.get(word)
    return (role, line[at + 1 :].strip()) if role else None


ORIGINAL_MESSAGE = _table(
    "oprindelig besked|oprindelig e-mail|ursprüngliche e-mail-nachricht|message précédent|e-mail originale",
    "original message|reply message|original-nachricht|ursprüngliche nachricht|originalnachricht",
    "antwort nachricht|message d'origine|message original|message initial|courriel original",
    "mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht",
    "oorspronkelijk e-mailbericht|originele bericht|origineel bericht|ursprungligt meddelande",
    "originalmeddelande|oprindelig meddelelse|original meddelelse",
    "opprinnelig melding|original melding|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość",
    "původní zpráva|pôvodná správa|eredeti üzenet|mesaj original|mesajul original|izvorna poruka",
    "izvirno sporočilo|originalna poruka",
    "исходное сообщение|оригинальное сообщение|первоначальное сообщение|пересылаемое сообщение",
    "вихідне повідомлення|оригінальне повідомлення|оригинално съобщение|orijinal mesaj|özgün ileti",
    "asıl mesaj|αρχικό μήνυμα|原始邮件|原郵件|原始郵件|原邮件|原始信息|元のメッセージ|元のメール",
    "オリジナルメッセージ",
    "원본 메일|원본 메시지|원본메시지|الرسالة الأصلية|הודעה מקורית|پیام اصلی|मूल संदेश|ข้อความต้นฉบับ",
    "ข้อความเดิม",
    "thư gốc|tin nhắn gốc|pesan asli|mesej asal|algne kiri|algsõnum|sākotnējā ziņa|pradinis pranešimas",
    "originalus laiškas|upprunaleg skilaboð|missatge original|original appointment|original email",
    "original e-mail",
    "previous message|vorherige nachricht|message précédent|oorspronkelijke bericht|original-message",
    "ursprüngliche e-mail|ursprüngliche mail|original mail|quoted message|opprinnelig e-post",
    "ursprünglicher termin|rendez-vous d'origine|alkuperäinen ilmoitus|原文|original text",
    "původní e-mail|původní email|оригинално писмо|oryginalny e-mail|replied message|回复的原邮件|回复邮件信息",
    "e-mail d'origine|e-mail original|posta original|posta originale|original besked",
)
"""What stands between the dashes of "-----Original Message-----"."""

FORWARDED_MESSAGE = _table(
    "转发的原邮件|转发邮件信息|forwarding messages|plusendita mesaĝo|пересланий лист",
    "treść przekazywanej wiadomości|réacheminé par|remis par|remitido por|inoltrata da|videresendt fra",
    "this is a forwarded message|это пересланное сообщение|это пересылаемое сообщение",
    "dies ist eine weitergeleitete nachricht|अग्रेषित संदेश का आरंभ|mulai pesan terusan",
    "mulakan mesej yang dimajukan",
    "转发的消息|轉寄的訊息|轉寄的信件|转发的信件|转发消息|转发的内容|転送された内容|전달된 편지",
    "переадресовано|forwarded by",
    "začátek přeposílané zprávy|ileti başlangıcı|メッセージを転送|wiadomość przesłana dalej",
    "wiadomość przesłana",
    "перенаправлене повідомлення|videresendt e-mail|videresendte besked|přeposílaná zpráva",
    "preposielaná správa",
    "začiatok preposielanej správy|iletilen e-posta başlangıcı|mensaje reenviado desde|пересылаемый текст",
    "forwarded message|begin forwarded message|forwarded by|forwarded mail|forwarded email",
    "start of forwarded message|forwarded letter|weitergeleitete nachricht|weitergeleitete mail",
    "anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail",
    "beginn der weitergeleiteten nachricht|weitergeleitet von|weitergeleitete e-mail",
    "message transféré|message transmis|début du message transféré|début du message réexpédié",
    "courriel transféré|e-mail transféré|message réexpédié|transféré par|mail transféré",
    "mensaje reenviado|inicio del mensaje reenviado|correo reenviado|reenviado por|mensagem encaminhada",
    "mensagem reencaminhada|início da mensagem encaminhada|início da mensagem reencaminhada",
    "encaminhada por|encaminhado por|e-mail encaminhado",
    "messaggio inoltrato|inizio messaggio inoltrato|inoltrato da|e-mail inoltrata|doorgestuurd bericht",
    "begin doorgestuurd bericht|doorgezonden bericht|begin van doorgestuurd bericht",
    "doorgestuurde e-mail|doorgestuurd door|vidarebefordrat meddelande|vidarebefordrat mejl",
    "vidarebefordrat mail|början på vidarebefordrat meddelande|vidarebefordrat brev",
    "börja vidarebefordrat meddelande|börjar vidarebefordrat meddelande",
    "start på vidarebefordrat meddelande",
    "videresendt meddelelse|videresendt besked|start på videresendt besked",
    "begyndelse på videresendt besked|begynd videresendt besked|videresendt mail|videresendt e-mail",
    "videresendt melding|start på videresendt melding|videresendt e-post",
    "begynnelse på videresendt melding|begynn videresendt melding|videresendt av|videresendt af",
    "välitetty viesti|välitetty viesti alkaa|alkaa välitetty viesti|edelleenlähetetty viesti",
    "välitetyn viestin alku|edelleenlähetetty sähköposti",
    "przekazana wiadomość|wiadomość przekazana dalej|początek przekazywanej wiadomości",
    "początek przekazanej wiadomości|treść przekazanej wiadomości|wiadomość przekazana",
    "przekazany e-mail|przekazany mail|treść przekazanego listu|přeposlaná zpráva",
    "začátek přeposlané zprávy|předaná zpráva|přeposlaný e-mail|začiatok preposlanej správy",
    "preposlaná správa|odovzdaná správa|správa preposlaná|preposlaný e-mail|továbbított üzenet",
    "a továbbított levél kezdete|továbbított levél kezdete|továbbított levél",
    "továbbított üzenet kezdete|továbbított e-mail",
    "a továbbított üzenet kezdete",
    "mesaj redirecționat|mesaj redirectionat|început de mesaj redirecționat",
    "începutul mesajului redirecționat|mesaj înaintat|începe mesajul redirecționat|mesaj retrimis",
    "proslijeđena poruka|početak proslijeđene poruke|prosleđena poruka|početak prosleđene poruke",
    "započni proslijeđenu poruku|posredovano sporočilo|začetek posredovanega sporočila",
    "прослеђена порука|препратена порака|пренасочена порака|препратено съобщение",
    "начало на препратеното съобщение|начало на препратено съобщение",
    "пересылаемое сообщение|пересланное сообщение|пересланное письмо|начало переадресованного сообщения",
    "начало пересланного сообщения|начало пересылаемого сообщения|переадресованное сообщение",
    "перенаправленное сообщение|пересылаемое письмо|конец пересылаемого сообщения",
    "переслане повідомлення|переслане повідомлення|початок листа, що пересилається",
    "початок пересланого повідомлення|початок переспрямованого повідомлення",
    "пераадрасаванае паведамленне|перасланае паведамленне",
    "iletilen mesaj|yönlendirilmiş mesaj|iletilmiş mesaj|iletilen mesajın başlangıcı",
    "yönlendirilen ileti|iletilen ileti|iletilen e-posta|başlangıç iletilen mesaj|προωθημένο μήνυμα",
    "αρχή προωθημένου μηνύματος|έναρξη προωθημένου μηνύματος|μήνυμα που προωθήθηκε",
    "forwarded message end",
    "转发的邮件|转发邮件|转发信息|转发的信息|轉寄的郵件|轉寄郵件|轉寄訊息|已轉寄的郵件|已轉寄郵件",
    "已转发邮件|开始转发的邮件|以下是转发的邮件|下面是被转发的邮件|下面是转发的邮件",
    "開始轉寄郵件|開始轉寄訊息|被转发邮件|被转发的邮件|被轉發的郵件|邮件转发|转发|轉寄|轉發|轉發訊息",
    "転送されたメッセージ|転送メッセージ|転送されたメール|転送メール|転送文|ここから転送",
    "以下、転送メール|以下は転送メッセージです|転送",
    "전달된 메시지|전달된 메일|전달된 이메일|전달한 메시지|전달된 메시지 시작|다음은 전달된 메시지|전달",
    "رسالة معاد توجيهها",
    "بداية الرسالة المعاد توجيهها|رسالة مُعاد توجيهها|الرسالة المعاد توجيهها|رسالة محولة",
    "بداية الرسالة المُعاد توجيهها|הודעה שהועברה|תחילת ההודעה שהועברה|הודעה מועברת|תחילת הודעה שהועברה",
    "پیام هدایت شده|پیام ارسال‌شده|پیام بازارسال شده|شروع پیام بازارسال‌شده|अग्रेषित संदेश",
    "अग्रेषित संदेश आरंभ|फ़ॉरवर्ड किया गया संदेश",
    "ข้อความที่ส่งต่อ|ข้อความส่งต่อ|เริ่มข้อความที่ส่งต่อ|ข้อความที่ถูกส่งต่อ|thư được chuyển tiếp",
    "tin nhắn chuyển tiếp|bắt đầu thư được chuyển tiếp|tin nhắn đã chuyển tiếp",
    "bắt đầu thư đã chuyển tiếp|email được chuyển tiếp|pesan diteruskan|pesan terusan",
    "pesan yang diteruskan|mulai pesan yang diteruskan|awal pesan yang diteruskan|mesej dimajukan",
    "mesej yang dimajukan|mula mesej yang dimajukan",
    "edastatud kiri|edastatud sõnum|edastatud kirja algus|edasi saadetud kiri|pārsūtīta ziņa",
    "pārsūtītā ziņa|pārsūtītās ziņas sākums|pārsūtīta vēstule|persiųstas laiškas|persiunčiamas laiškas",
    "persiųstas pranešimas|persiųsto laiško pradžia|áframsent skeyti|áframsend skilaboð",
    "upphaf áframsendra skilaboða|framsend skilaboð|missatge reenviat|inici del missatge reenviat",
    "mensaxe reenviada|birbidalitako mezua|yönləndirilmiş mesaj|გადაგზავნილი წერილი",
    "გადამისამართებული შეტყობინება|mesazh i përcjellë|przekazane dalej",
    "переслано|weitergeleitet|forwarded|fwd|forwarded conversation|forwarded content",
    "weitergeleitete unterhaltung|forwarded inline attachment|mensaje reenviado por|fwd message",
    "videresendt",
)
"""What stands between the dashes of "---------- Forwarded message ---------", or before the colon of Apple
Mail's.
"""

FORWARD_PREFIXES = _table(
    "redir|redir.|rd|tr.|reenvío|reenvio|przesł|doorsturen|vidarebefordra|přeposlat|forwarded|iletildi",
    "fw|fwd|forward|wg|weitergeleitet|weiterleitung|tr|transf|transféré|fwd fw|rv|rvd|reenv|reenviar",
    "reenviado|rm|enc|enc.|encaminhado|encaminhada|i|inoltro|inoltrato|inol|doorst|doorgestuurd|vb",
    "vidarebefordrat|vidarebefordrar|vs|videresendt|videresend|vl",
    "pd|przekazane|prz|přeposláno|předáno|přep|preposlané|fvb|továbbítás|továbbítva|tov|fs|áfr",
    "redirecționat|redirectionat|proslijeđeno|prosleđeno|прослеђено|posredovano|psr|пересл|переслано",
    "пересылаю|пересылка|пер|переадр|препр|препратено|ilt|i̇lt|ilt.|yönlendirme|iletilen|προωθ|πρθ",
    "προώθηση",
    "转发|轉寄|轉發|轉|转|転送|전달|إعادة توجيه|إعادة إرسال|تحويل|محوّل|הועבר|העברה|فوروارد|बाक़ी",
    "अग्रेषित|ส่งต่อ",
    "chuyển tiếp|ct|trs|yml|fwd.|teruskan|diteruskan|terusan|maju|edasi|edastatud|pārs|pārsūtīts|persiųsta",
    "persiųsti|pers|reenviat|birb|yl|ynlnd|fwd: fwd|nakl|dw",
)
"""Subject prefixes of a forward, without the colon."""

REPLY_PREFIXES = _table(
    "re|aw|antw|antwort|rép|rep|réf|ref|res|resp|rif|r|sv|svar|vs|vast|vá|vál|válasz|odp|odpověď",
    "odpoveď|отв|ответ|відп|відпов|ynt|yanıt|cvp|απ|σχετ|atb|ats|vast|blt|balas|回复|回覆|答复|答覆|回",
    "返信|회신|답장",
    "رد|השב|תגובה|תשובה|پاسخ|ตอบ|ตอบกลับ|trả lời|tl|hồi âm|bls|ré|antwoord|ant|na|ad|reply|re.|sva|одг|на",
    "ydanıt|ปรัตยุตตร",
)
"""Subject prefixes of a reply, without the colon."""

AMBIGUOUS_FORWARD_PREFIXES = _table(
    "vs|i|tr|r|rm|fs|pd|dw|maju|pers|enc|tov|yl|转|轉|forward|transf|prz|пер|nakl|prr|edasi|pr|ad|ct|trs|yml"
)
"""Forward prefixes that mean something else too ("VS" answers in Finnish): they count only beside a
forwarded block.
"""

# Verbs of attribution lines. A line must also carry a date, an address, or stand right above quoted lines.
WROTE = _table(
    "napisana przez|napisana|missatge de|şunları yazdı|napísala|skrifar|zapisał|scrisse|έγραψαν|yozdi",
    "wrote|writes|sent|said|schrieb|schrieb am|geschrieben|a écrit|écrivait|ha écrit|escribió|escribio",
    "escreveu|ha scritto|scrive|schreef|geschreven|skrev|skriver|kirjoitti|skrifaði|ritaði|kirjutas",
    "rakstīja|rašė|parašė|napisał|napisała|napisał(a)|pisze|napsal",
    "napsala|napsal(a)|napísal|napísala|napísal(a)|írta|írt|a scris|napisao|napisala|napisao/la",
    "je napisao|написао|написала|написао/ла|je pisal|napisal|написа|написал|написал(а)|пишет|писал|пише",
    "написав|написав(ла)|піша|напиша|напишал|έγραψε|yazdı|yazmış|كتب|كتبت|כתב|כתבה|כתב/ה|כתב‏|نوشت|لिखा",
    "लिखा|ने लिखा|เขียนว่า|เขียน|đã viết|viết|menulis|写道|写入|寫道|写到|写信|撰写|寫|写|書きました",
    "書き込みました|書いた|のメール",
    "さんは書きました|さんからのメール|작성|님이 작성|쓴 글|메시지|님의 메시지|va escriure|escribiu",
    "idatzi du|yazıb|დაწერა",
    "wrote the following|het volgende geschreven|skrev følgende|skrev följande|via|ezt írta|ha escrito",
    "a scrit|επεξήγησε|shkroi|ṣe|писали|писала|ha escrit|sinulat|aliandika|წერდა|գրել է|লিখেছেন|எழுதியது",
    "لکھا|लिहिले|жазған|បានសរសេរ",
)
