#!/usr/bin/env python3
"""A job that shows its work: progress, tokens as they come, the results of two models, a question, the end.

    pip install client_sdk/python
    python examples/publish.py job-1 localhost:50051     and watch job-1 on the page, or: sessioncast watch job-1
                                                         (job-2 the next time: an id that has ended is not used again)
"""

import sys
import time

import sessioncast
from sessioncast import events

MODELS = {
    "llama3.1:8b": "One log for each session, and readers go on from the number they have.",
    "mistral:7b": "Publish once; it is on disk before anybody sees it.",
}


def run_model(publisher, job, model, text):
    """Tokens go out as they come; what the model has so far goes with them, for whoever joins late."""
    begun, so_far = time.monotonic(), ""
    for token in text.split(" "):
        so_far += token + " "
        publisher.publish_soon(events.custom(job, "token", {"modelName": model, "delta": token + " "}))
        publisher.publish_soon(events.model_result(job, model, so_far, status="processing"))
    duration_ms = int(1000 * (time.monotonic() - begun))
    publisher.publish_soon(events.model_result(job, model, text, duration_ms=duration_ms))


def main(job, control="localhost:50051"):
    with sessioncast.Publisher(control) as publisher:
        publisher.publish(events.progress(job, 0))
        for done, (model, text) in enumerate(MODELS.items(), 1):
            run_model(publisher, job, model, text)
            publisher.publish_soon(events.progress(job, 80 * done / len(MODELS)))
        publisher.flush()  # raises if something was refused
        answer = publisher.ask_clarification(
            job, "Who will read it?", time_limit=20, default_response="everybody"
        )
        publisher.publish(events.completed(job, {"for": answer.response, "models": list(MODELS)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
