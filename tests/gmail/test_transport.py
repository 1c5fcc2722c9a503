"""The transport sends each request once."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmail.errors import MalformedAnswer, Unavailable
from gmail.transport import Http
from tests.gmail.scripted import Answer, ScriptedGoogle, says
from tests.gmail.signer import Signer

pytestmark = pytest.mark.servers


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout_s=5, read_timeout_s=30)
    yield http
    http.close()


def test_a_post_whose_connection_drops_is_not_sent_again(google: ScriptedGoogle, http: Http) -> None:
    google.on("/send", Answer(fault="drop"))

    with pytest.raises(Unavailable) as raised:
        http.request(f"{google.url}/send", "POST", body=b"mail")

    assert raised.value.effect_unknown
    assert len(google.asked_for("/send")) == 1


def test_a_post_on_a_kept_connection_that_drops_is_not_sent_again(google: ScriptedGoogle, http: Http) -> None:
    google.on("/warm", says({}))
    google.on("/send", Answer(fault="drop"))
    http.request(f"{google.url}/warm")

    with pytest.raises(Unavailable) as raised:
        http.request(f"{google.url}/send", "POST", body=b"mail")

    assert raised.value.effect_unknown
    assert len(google.asked_for("/send")) == 1


def test_a_dropped_read_changed_nothing(google: ScriptedGoogle, http: Http) -> None:
    google.on("/read", Answer(fault="drop"))

    with pytest.raises(Unavailable) as raised:
        http.request(f"{google.url}/read")

    assert not raised.value.effect_unknown
    assert len(google.asked_for("/read")) == 1


def test_a_write_that_found_no_server_was_not_executed(http: Http) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unavailable) as raised:
            http.request(f"http://127.0.0.1:{port}/send", "POST", body=b"mail")

    assert not raised.value.effect_unknown


def test_a_write_without_an_answer_in_time_may_have_been_executed(google: ScriptedGoogle) -> None:
    google.on("/send", Answer(fault="hang"))
    impatient = Http(read_timeout_s=0.2)

    with pytest.raises(Unavailable, match="timeout") as raised:
        impatient.request(f"{google.url}/send", "POST", body=b"mail")

    assert raised.value.effect_unknown
    assert len(google.asked_for("/send")) == 1


def test_a_cut_off_answer_is_malformed(google: ScriptedGoogle, http: Http) -> None:
    google.on("/send", Answer(body=b'{"id":', fault="cut"))

    with pytest.raises(MalformedAnswer) as raised:
        http.request(f"{google.url}/send", "POST", body=b"mail")

    assert raised.value.effect_unknown
    assert raised.value.status == 200


def test_answers_are_unpacked_and_a_broken_packing_is_malformed(google: ScriptedGoogle, http: Http) -> None:
    packed = gzip.compress(b"text")
    google.on("/packed", Answer(body=packed, headers={"Content-Encoding": "gzip"}))
    google.on("/broken", Answer(body=packed[:-6], headers={"Content-Encoding": "gzip"}))

    assert http.request(f"{google.url}/packed")[1] == b"text"
    with pytest.raises(MalformedAnswer):
        http.request(f"{google.url}/broken")


def test_text_is_sent_as_utf_8(google: ScriptedGoogle, http: Http) -> None:
    google.on("/text", says({}))

    http.request(f"{google.url}/text", "POST", body="Grüße 😀")

    assert google.asked[0].body == "Grüße 😀".encode()


def test_a_redirect_is_an_answer_and_is_not_followed(google: ScriptedGoogle, http: Http) -> None:
    google.on("/send", Answer(302, headers={"Location": f"{google.url}/elsewhere"}))

    response, _ = http.request(f"{google.url}/send", "POST", body=b"mail")

    assert response.status == 302
    assert response["location"] == f"{google.url}/elsewhere"
    assert google.asked_for("/elsewhere") == []


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed(http: Http) -> None:
    """A server that says nothing of it and closes each connection after one answer."""
    accepted: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(3):
                peer, _ = server.accept()
                with peer:
                    accepted.append(peer.recv(65536))
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    peer.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answers = []
        for _ in range(3):
            answers.append(http.request(url, "POST", body=b"mail")[1])
            _until_closed(http)
        thread.join(30)

    assert answers == [b"ok"] * 3
    assert len(accepted) == 3


def _until_closed(http: Http) -> None:
    """Waits until the close of the kept connection arrived here."""
    for kept in http._kept.values():
        for _, connection in kept:
            connection.sock.settimeout(30)
            assert connection.sock.recv(1, socket.MSG_PEEK) == b""


@pytest.fixture
def secure(google: ScriptedGoogle, signer: Signer, tmp_path: Path) -> str:
    """The scripted Google over TLS, with a certificate that nobody vouches for; the path is the certificate's."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(signer.certificate())
    key.write_bytes(signer.private_key())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    google.secure(context)
    return str(certificate)


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    google: ScriptedGoogle, secure: str, http: Http
) -> None:
    google.on("/send", says({}))

    with pytest.raises(Unavailable) as raised:
        http.request(f"{google.url}/send", "POST", body=b"mail")

    assert not raised.value.effect_unknown
    assert google.asked == []


def test_over_tls_connections_are_kept_too(
    google: ScriptedGoogle, secure: str, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gmail.transport._tls", lambda: ssl.create_default_context(cafile=secure))
    google.on("/read", says({"ok": True}))

    bodies = [http.request(f"{google.url}/read")[1] for _ in range(5)]

    assert bodies == [b'{"ok": true}'] * 5
    assert google.connections == 1


def test_many_threads_share_the_connections(google: ScriptedGoogle, http: Http) -> None:
    numbers = range(200)
    for number in numbers:
        google.on(f"/{number}", says({"number": number}))

    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda n: http.request(f"{google.url}/{n}")[1], numbers))

    assert bodies == [b'{"number": %d}' % number for number in numbers]
    assert sum(len(kept) for kept in http._kept.values()) <= 8


@pytest.fixture(scope="module")
def babbler() -> Iterator[Callable[[bytes], str]]:
    """A server that answers each connection with given bytes, whatever they are, and closes it."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                peer, _ = server.accept()
                with peer:
                    if not answers:
                        return
                    peer.recv(65536)
                    peer.sendall(answers[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]

        def will_say(answer: bytes) -> str:
            answers[:] = [answer]
            return f"http://127.0.0.1:{port}/"

        yield will_say
        answers.clear()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(30)


HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/0.9",
        b"",
    ]
)


@given(HEADS, st.binary(max_size=60))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_whatever_a_server_says_is_an_answer_or_an_error_of_ours(
    babbler: Callable[[bytes], str], head: bytes, rest: bytes
) -> None:
    http = Http(read_timeout_s=30)
    understood = False
    try:
        response, content = http.request(babbler(head + rest), "POST", body=b"mail")
        understood = 100 <= response.status <= 999 and isinstance(content, bytes)
    except Unavailable as error:
        understood = error.effect_unknown
    finally:
        http.close()
    assert understood
