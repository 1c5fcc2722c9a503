"""`python -m mail FILE...` as the contract has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mail.__main__ import MANY
from mail.compose import OutgoingFile, compose
from mail.message import Address

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    *(
        "file",
        "from",
        "to",
        "cc",
        "bcc",
        "reply_to",
        "subject",
        "date",
        "message_id",
        "in_reply_to",
        "references",
    ),
    *(
        "text",
        "html",
        "safe_html",
        "attachments",
        "problems",
        "kind",
        "forwarded",
        "bounce",
        "new_text",
        "quoted_text",
    ),
}


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, list[dict[str, object]]]:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "mail", *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]


def test_one_line_for_each_mail_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "1.eml", tmp_path / "zwei ü.eml"
    first.write_bytes(
        compose(
            from_=Address("Jörg", "j@example.com"),
            to=[Address("", "ann@example.com")],
            subject="Grüße",
            text="Ja.\n\nOn Mon, Mar 2, 2026 at 10:00 AM Ann <ann@example.com> wrote:\n> Kommst du?",
            html="<p onclick=x>Ja.</p>",
            attachments=[OutgoingFile("ü.pdf", "application/pdf", b"1234")],
            message_id="<1@example.com>",
        )
    )
    second.write_bytes(b"\xff\x00 not a mail")
    code, lines = run(str(first), str(tmp_path / "none.eml"), str(second), str(tmp_path))
    assert code == 0
    assert [line["file"] for line in lines] == [
        str(first),
        str(tmp_path / "none.eml"),
        str(second),
        str(tmp_path),
    ]
    assert all(set(line) == KEYS for line in lines)
    mail = lines[0]
    assert mail["from"] == [{"name": "Jörg", "email": "j@example.com"}]
    assert mail["subject"] == "Grüße"
    assert mail["attachments"] == [
        {"filename": "ü.pdf", "content_type": "application/pdf", "size": 4, "content_id": None}
    ]
    assert mail["kind"] == "message"
    assert mail["forwarded"] is False
    assert mail["bounce"] is None
    assert str(mail["new_text"]).strip() == "Ja."
    assert "Kommst du?" in str(mail["quoted_text"])
    assert "onclick" not in str(mail["safe_html"])
    assert lines[1]["problems"] == ["file cannot be read: FileNotFoundError"]
    assert lines[3]["problems"] == ["file cannot be read: IsADirectoryError"]


def test_paths_from_standard_input(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.eml" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(f"Subject: {number}\n\n".encode())
    code, lines = run("-", stdin="\n".join(map(str, paths)).encode())
    assert code == 0
    assert [line["subject"] for line in lines] == ["0", "1", "2"]


def test_many_files_come_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.eml" for number in range(2 * MANY)]
    for number, path in enumerate(paths[1:], 1):
        path.write_bytes(f"Subject: {number}\n\n{'x' * (number % 7) * 10_000}".encode())
    named = list(map(str, paths))
    for code, lines in (run(*named), run("-", stdin="\r\n".join(named).encode())):
        assert code == 0
        assert [line["file"] for line in lines] == named
        assert [line["subject"] for line in lines] == ["", *map(str, range(1, 2 * MANY))]
        assert lines[0]["problems"] == ["file cannot be read: FileNotFoundError"]


def test_who_writes_a_path_and_waits_gets_its_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mail", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for subject in ("one", "two"):
            path = tmp_path / subject
            path.write_bytes(f"Subject: {subject}\n\n".encode())
            process.stdin.write(f"{path}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["subject"] == subject


def test_without_a_file_it_says_how_to_use_it() -> None:
    assert run() == (2, [])
