"""TLS, a certificate of the client, and a token, at a control that asks for all of them."""

import asyncio
import pathlib
import secrets
import subprocess
import sys

import pytest
from conftest import BIN, PATIENCE_S
from sessioncast import Code, Credentials, Error, Publisher, SessionStream, aio, events
from sessioncast._channel import _TlsFiles

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "chaos"))
from proxy import Proxy  # noqa: E402  pylint: disable=wrong-import-position


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


def renew(directory):
    """Files of another authority in place of those that are there: what the one before signed is good no more."""
    other = directory / "renewed"
    other.mkdir()
    for name in ("ca", "server", "client"):
        certify(other, name)
    for name in ("ca.pem", "server.key", "server.pem", "client.key", "client.pem"):
        (other / name).rename(directory / name)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_certificates_that_were_replaced_need_no_restart(start_control, session, tmp_path, kind):
    for name in ("ca", "server", "client"):
        certify(tmp_path, name)
    tls = (f"--tls_cert={tmp_path}/server.pem", f"--tls_key={tmp_path}/server.key")
    control = start_control(*tls, f"--tls_client_ca={tmp_path}/ca.pem")
    shown = credentials(tmp_path)

    async def read(address):
        if kind == "sync":
            return await asyncio.to_thread(lambda: list(SessionStream(session, address, credentials=shown)))
        return [item async for item in aio.SessionStream(session, address, credentials=shown)]

    async def run():
        line = await Proxy("line").start()
        line.target = int(control.address.rpartition(":")[2])
        address = f"127.0.0.1:{line.port}"
        publisher = (Publisher if kind == "sync" else aio.Publisher)(address, credentials=shown)

        async def call(name, *arguments, **named):
            method = getattr(publisher, name)
            return await (asyncio.to_thread(method, *arguments, **named) if kind == "sync" else method(*arguments, **named))

        reading = asyncio.ensure_future(read(address))
        asking = asyncio.ensure_future(call("ask_clarification", f"{session}-asked", "Which?", clarification_id="q"))
        await call("publish", events.progress(session, 1))
        renew(tmp_path)
        # Until control has the new ones.
        async with aio.Publisher(control.address, credentials=shown) as other:
            await other.publish(events.progress(session, 2))
        line.cut()
        await call("publish_soon", events.progress(session, 3))
        await call("flush")
        await call("publish", events.completed(session))
        assert [item.position.sequence for item in await asyncio.wait_for(reading, PATIENCE_S)] == [1, 2, 3, 4]
        await call("answer_clarification", f"{session}-asked", "q", "this")
        assert (await asyncio.wait_for(asking, PATIENCE_S)).response == "this"
        await call("close")
        await line.stop()

    asyncio.run(run())


def test_files_that_do_not_fit_each_other_are_left_until_they_do(start_control, session, tmp_path):
    for name in ("ca", "server", "client"):
        certify(tmp_path, name)
    tls = (f"--tls_cert={tmp_path}/server.pem", f"--tls_key={tmp_path}/server.key")
    control = start_control(*tls, f"--tls_client_ca={tmp_path}/ca.pem")
    files = _TlsFiles(credentials(tmp_path))
    assert not files.look()
    key = (tmp_path / "client.key").read_bytes()
    certificate = (tmp_path / "client.pem").read_bytes()
    certify(tmp_path, "client")
    renewed = (tmp_path / "client.pem").read_bytes()
    (tmp_path / "client.pem").write_bytes(certificate)
    assert not files.look(), "the key is another one's"
    (tmp_path / "client.pem").unlink()
    assert not files.look(), "there is none"
    (tmp_path / "client.pem").write_bytes(renewed)
    assert (tmp_path / "client.key").read_bytes() != key and files.look() and not files.look()
    with Publisher(control.address, credentials=credentials(tmp_path)) as publisher:
        publisher.publish(events.progress(session, 1))
