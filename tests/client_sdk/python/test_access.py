"""TLS, a certificate of the client, and a token, at a control that asks for all of them."""

import asyncio
import secrets
import subprocess

import pytest
from conftest import BIN, PATIENCE_S
from sessioncast import Code, Credentials, Error, Publisher, SessionStream, aio, events


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def certify(directory, name):
    """NAME.pem and NAME.key, signed by ca.pem."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
    request = ("openssl", "req", *key, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
    if name == "ca":
        return run(*request, "-x509", "-out", "ca.pem", cwd=directory)
    run(*request, "-out", f"{name}.csr", cwd=directory)
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy")
    return run("openssl", "x509", "-req", "-in", f"{name}.csr", *by, "-out", f"{name}.pem", cwd=directory)


@pytest.fixture
def guarded(start_control, tmp_path):
    """A control that asks for everything; its address, and a function that signs tokens into files."""
    for name in ("ca", "server", "client"):
        certify(tmp_path, name)
    (tmp_path / "secret").write_text(secrets.token_hex(32), encoding="utf-8")
    key = f"k:HS256:{tmp_path}/secret"
    tls = (f"--tls_cert={tmp_path}/server.pem", f"--tls_key={tmp_path}/server.key")
    control = start_control(*tls, f"--tls_client_ca={tmp_path}/ca.pem", f"--token_key={key}")

    def sign(file, session, *verbs):
        flags = (f"--verb={verb}" for verb in verbs)
        token = run(BIN / "sessioncast", "token", f"--key={key}", f"--session={session}", *flags, cwd=tmp_path)
        (tmp_path / file).write_text(token, encoding="utf-8")
        return str(tmp_path / file)

    return control.address, sign


def credentials(directory, **token):
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
    return Credentials(**{name: str(directory / file) for name, file in files.items()}, **token)


def test_who_shows_everything_may_publish_and_read(guarded, session, tmp_path):
    address, sign = guarded
    shown = credentials(tmp_path, token_file=sign("token", session, "publish", "stream"))

    async def run_aio():
        async with aio.Publisher(address, credentials=shown) as publisher:
            await publisher.publish_soon(events.progress(session, 2))
            await publisher.flush()
            await publisher.publish(events.completed(session))
        return [item.position.sequence async for item in aio.SessionStream(session, address, credentials=shown)]

    with Publisher(address, credentials=shown) as publisher:
        publisher.publish_soon(events.progress(session, 1))
        publisher.flush()
        assert asyncio.run(run_aio()) == [1, 2, 3]
    assert [item.position.sequence for item in SessionStream(session, address, credentials=shown)] == [1, 2, 3]


def test_who_may_not_is_told_at_once_and_for_good(guarded, session, tmp_path):
    address, sign = guarded
    event = events.progress(session, 1)
    cases = [
        (Code.UNAUTHENTICATED, {}),
        (Code.UNAUTHENTICATED, {"token": "nonsense"}),
        (Code.PERMISSION_DENIED, {"token_file": sign("reader", session, "stream")}),
        (Code.PERMISSION_DENIED, {"token_file": sign("elsewhere", "other", "publish")}),
    ]
    for code, token in cases:
        publisher = Publisher(address, credentials=credentials(tmp_path, **token))
        with pytest.raises(Error) as raised:
            publisher.publish(event)
        assert raised.value.code == code and not raised.value.outcome_unknown
        future = publisher.publish_soon(event)
        with pytest.raises(Error) as raised:
            publisher.flush()
        assert raised.value.code == code and future.exception().code == code
        with pytest.raises(Error):
            next(SessionStream(session, address, credentials=credentials(tmp_path)))
        publisher.close()


def test_a_control_that_nobody_vouches_for_is_not_talked_to(guarded, session, tmp_path):
    address, _ = guarded
    other = tmp_path / "other"
    other.mkdir()
    certify(other, "ca")
    shown = Credentials(ca_file=str(other / "ca.pem"), token="t")
    with Publisher(address, credentials=shown, publish_timeout=1.0) as publisher:
        with pytest.raises(Error, match="publish_timeout of 1 s has passed") as raised:
            publisher.publish(events.progress(session, 1))
        assert raised.value.code == Code.UNAVAILABLE
