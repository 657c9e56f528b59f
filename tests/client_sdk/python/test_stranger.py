"""Somebody else's project, outside the tree: what the wheel gives to it, and the example."""

import pathlib
import shutil
import subprocess
import sys

import sessioncast
from conftest import PATIENCE_S
from sessioncast import SessionStream, aio

ROOT = pathlib.Path(__file__).resolve().parents[3]

PROJECT = pathlib.Path(__file__).with_name("stranger") / "job.py"


def run(*command, cwd):
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False
    )


def test_a_project_elsewhere_uses_the_package(control, session, tmp_path):
    shutil.copy(PROJECT, tmp_path)
    done = run(sys.executable, "-I", "-W", "error", "job.py", control, session, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "progress custom completed\n"), done.stderr


def test_the_example_runs(control, session, tmp_path):
    job = subprocess.Popen([sys.executable, ROOT / "examples/publish.py", session, control], cwd=tmp_path)
    seen = []
    with SessionStream(session, control) as stream, sessioncast.Publisher(control) as publisher:
        for item in stream:
            seen.append(item)
            clarification = item.clarification
            if item.HasField("clarification") and not clarification.HasField("response"):
                publisher.answer_clarification(session, clarification.clarification_id, "engineers")
    assert job.wait(PATIENCE_S) == 0
    assert seen[-1].completed.result["for"] == "engineers"
    kinds = {item.WhichOneof("kind") for item in seen}
    assert kinds == {"progress", "custom", "model_result", "clarification", "completed"}


def test_both_clients_have_the_same_names():
    for name in ("Publisher", "SessionStream"):
        ours, theirs = ({n for n in vars(getattr(m, name)) if n[0] != "_"} for m in (sessioncast, aio))
        assert ours == theirs
