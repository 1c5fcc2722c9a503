"""The pool: a connection whose server went away is replaced before anybody notices."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.database import Database

pytestmark = pytest.mark.servers

HOLDERS = """SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
             WHERE locktype = 'advisory' AND granted AND datname = current_database()"""


def test_a_connection_that_the_server_ended_is_replaced(database: str) -> None:
    pool, other = Database(database, pool_size=2), Database(database, pool_size=2)
    with pool.session() as session:
        pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with other.session() as session:
        assert session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar_one()
    with pool.session() as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid
    pool.close()
    other.close()


def test_a_session_is_one_transaction(database: str) -> None:
    pool = Database(database, pool_size=2)

    def break_in_the_middle() -> None:
        with pool.session() as session:
            session.execute(text("CREATE TABLE half (n int)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_in_the_middle()
    with pool.session() as session:
        assert session.execute(text("SELECT to_regclass('half')")).scalar_one() is None
    pool.close()


def test_a_named_lock_is_held_by_one_alone_and_let_go_when_its_holder_dies(database: str) -> None:
    first, second = Database(database, pool_size=2), Database(database, pool_size=2)
    with first.alone("grant/1"):
        with second.alone("grant/2", wait_s=0.05):
            pass
        with pytest.raises(OperationalError), second.alone("grant/1", wait_s=0.05):
            pytest.fail("two hold one lock")
        with second.session() as session:
            (pid,) = session.execute(text(HOLDERS)).scalars()
            session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with second.alone("grant/1", wait_s=0.05), second.session() as session:
            assert session.execute(text(HOLDERS)).scalar_one() != pid
    first.close()
    second.close()


def test_a_database_that_is_away_is_an_error_at_once() -> None:
    with pytest.raises(OperationalError), Database("postgresql://x@127.0.0.1:1/none").session() as session:
        session.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("INSERT INTO erasures VALUES ('e', 'nowhere', :mail, :mail, now(), '{}')", "foreign key"),
        ("INSERT INTO erasures (id, subject) VALUES ('e', :mail)", "not-null"),
        ("SELECT CAST(:mail AS int)", "InvalidTextRepresentation"),
        ("SELECT CAST(:mail AS jsonb)", "InvalidTextRepresentation"),
        ("SELECT pg_terminate_backend(pg_backend_pid()), :mail", "terminating connection"),
    ],
)
def test_what_fails_quotes_no_value(database: str, statement: str, says: str) -> None:
    """A value may be somebody's mail, and errors go to logs and into Temporal's history (I3)."""
    pool, mail = Database(database, pool_size=2), " ".join(["dear", "bob"])
    with pytest.raises(DBAPIError) as failed, pool.session() as session:
        session.execute(text(statement), {"mail": mail})
    told = "".join(traceback.format_exception(failed.value))
    assert mail not in told
    assert says in str(failed.value)
    pool.close()
