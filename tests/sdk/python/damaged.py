"""Asks for damaged answers through one official SDK and tells what it saw, without judging it.

    python damaged.py PLAN DIALECT

The plan, written by tests/sdk_damaged.rs, names the port, a client key and the models to ask for. For
each a line goes to standard output: every event that the SDK handed on, as its own type says it, the
lane that the answer took, the exception that the SDK raised, if it did, and the one that its helper raised
which puts the events together, where it has one (`messages.stream`).
"""

import json
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

# Streams under way at once.
AT_ONCE = 16
# How fast a machine is that does many other things is none of what is asked here.
TIMEOUT_SECONDS = 900


def chat(plan):
    import openai

    client = openai.OpenAI(
        base_url=plan["base_url"] + "/v1", api_key=plan["api_key"], max_retries=0, timeout=TIMEOUT_SECONDS
    )

    def ask(model, seen):
        raw = client.chat.completions.with_raw_response.create(
            model=model,
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        yield from with_lane(raw)

    return ask, openai.APIError


def responses(plan):
    import openai

    client = openai.OpenAI(
        base_url=plan["base_url"] + "/v1", api_key=plan["api_key"], max_retries=0, timeout=TIMEOUT_SECONDS
    )

    def ask(model, seen):
        yield from with_lane(client.responses.with_raw_response.create(model=model, input="Hi", stream=True))

    return ask, openai.APIError


def messages(plan):
    import anthropic
    from anthropic.lib.streaming._messages import accumulate_event

    client = anthropic.Anthropic(
        base_url=plan["base_url"], api_key=plan["api_key"], max_retries=0, timeout=TIMEOUT_SECONDS
    )

    def ask(model, seen):
        raw = client.messages.with_raw_response.create(
            model=model, max_tokens=1000, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        yield raw.headers.get("x-signalbox-lane")
        together, inputs = None, {}
        for event in raw.parse():
            yield event.to_dict(mode="json")
            if "helper" in seen:
                continue
            try:
                together = accumulate_event(event=event, current_snapshot=together, json_bufs=inputs)
            except Exception as error:  # noqa: BLE001 (whatever it raises is what is to be told)
                seen["helper"] = failure(error, anthropic.APIError)

    return ask, anthropic.APIError


def generate(plan):
    from google import genai
    from google.genai import errors, types

    options = types.HttpOptions(base_url=plan["base_url"], timeout=TIMEOUT_SECONDS * 1000)
    client = genai.Client(api_key=plan["api_key"], http_options=options)
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))

    def ask(model, seen):
        yield None
        for chunk in client.models.generate_content_stream(model=model, contents="Hi", config=config):
            # Its own note of the headers is none of the answer's.
            yield chunk.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"sdk_http_response"})

    return ask, errors.APIError


def with_lane(raw):
    """The lane first, then the events."""
    yield raw.headers.get("x-signalbox-lane")
    for event in raw.parse():
        yield event.to_dict(mode="json")


DIALECTS = {
    "openai-chat": chat,
    "openai-responses": responses,
    "anthropic-messages": messages,
    "gemini-generate": generate,
}


def failure(error, own):
    """What a program can tell of the exception."""
    response = getattr(error, "response", None)
    body = getattr(error, "body", None) or getattr(error, "details", None)
    return {
        "class": type(error).__name__,
        # Whether it is an exception that the SDK documents, and not an accident inside of it.
        "is_own": isinstance(error, own),
        "status": getattr(error, "status_code", None) or getattr(error, "code", None),
        "retry_after": response.headers.get("retry-after") if response is not None else None,
        "body": body if isinstance(body, dict) else None,
        "message": str(error)[:400],
    }


def see(ask, own, model):
    seen = {"model": model, "lane": None, "events": [], "error": None}
    try:
        stream = ask(model, seen)
        seen["lane"] = next(stream)
        for event in stream:
            seen["events"].append(event)
    except Exception as error:  # noqa: BLE001 (whatever it raises is what is to be told)
        seen["error"] = failure(error, own)
    return seen


def main(plan, dialect):
    plan = json.loads(pathlib.Path(plan).read_text(encoding="utf-8"))
    ask, own = DIALECTS[dialect](plan)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for seen in pool.map(lambda model: see(ask, own, model), plan["models"][dialect]):
            sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
