"""Google's official SDK for Python against signalboxd, whose providers replay recorded answers.

The cases are those of test_openai.py: what a plain reading of each record says, in OpenAI's words for
why an answer stopped.
"""

import base64
import json
import os
import pathlib
import urllib.request

import pytest
from google import genai
from google.genai import errors, types

PLAN = json.loads(pathlib.Path(os.environ["SIGNALBOX_SDK_CASES"]).read_text(encoding="utf-8"))
BASE = PLAN["base_url"].removesuffix("/v1")


def client(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=BASE, timeout=60_000))


CLIENT = client(PLAN["api_key"])
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather", description="The weather in a city.", parameters_json_schema=PARAMETERS
            )
        ]
    )
]
# A tiny valid PNG.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# OpenAI's words for why an answer stopped, and what Google says for each.
STOPS = {
    "stop": {"STOP", "OTHER"},
    "length": {"MAX_TOKENS"},
    "tool_calls": {"STOP", "OTHER"},
    "content_filter": {"SAFETY", "RECITATION", "MODEL_ARMOR"},
}


def cases(kind):
    return [pytest.param(case, id=case["id"]) for case in PLAN["cases"] if case["kind"] == kind]


def asked(case, **more):
    """The request: thoughts are wanted, tools declared where the recorded answer calls some."""
    expected = case["expected"] or {"choices": []}
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    if case["kind"] == "tool_loop" or any(choice["calls"] for choice in expected["choices"]):
        config.tools = TOOLS
    more.setdefault("contents", "Hello")
    return {"model": case["model"], "config": config, **more}


def leaves(value, path=""):
    """Every value that is no object or list, by its path."""
    if isinstance(value, dict):
        return {place: leaf for name, inner in value.items() for place, leaf in leaves(inner, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {place: leaf for at, inner in enumerate(value) for place, leaf in leaves(inner, f"{path}/{at}").items()}
    return {} if value is None else {path: value}


def as_args(arguments):
    """Arguments that are no object reach a client of Google's under that name, whole."""
    if isinstance(arguments, str):
        return {"/arguments": arguments} if arguments.strip() else {}
    return arguments


class Seen:
    """What one candidate said, over all chunks."""

    def __init__(self):
        self.text, self.thoughts, self.calls, self.finish = "", "", [], None

    def take(self, candidate):
        assert self.finish is None, "a candidate goes on after its finish"
        for part in (candidate.content and candidate.content.parts) or []:
            if part.function_call:
                self.calls.append(part.function_call)
            elif part.text and part.thought:
                self.thoughts += part.text
            elif part.text:
                self.text += part.text
        self.finish = candidate.finish_reason and candidate.finish_reason.name

    def check(self, choice, is_verbatim):
        assert self.text == choice["text"] + choice["refusal"]
        assert self.thoughts == choice["reasoning"]
        seen = [{"name": call.name, "arguments": leaves(call.args or {})} for call in self.calls]
        assert seen == [{"name": call["name"], "arguments": as_args(call["arguments"])} for call in choice["calls"]]
        assert self.finish in STOPS[choice["finish_reason"]]
        ids = [call.id for call in self.calls]
        # Google's own bytes pass unchanged, and it gives few calls an id.
        assert is_verbatim or (all(ids) and len(set(ids)) == len(ids)), ids


def check(chunks, case):
    expected, is_verbatim = case["expected"], case["protocol"] == "gemini-generate"
    seen, usage = {}, None
    for chunk in chunks:
        assert is_verbatim or (chunk.response_id and chunk.model_version)
        for candidate in chunk.candidates or []:
            seen.setdefault(candidate.index or 0, Seen()).take(candidate)
        usage = chunk.usage_metadata or usage
    assert len(seen) == len(expected["choices"])
    for index, choice in enumerate(expected["choices"]):
        seen[index].check(choice, is_verbatim)
    if expected["usage"] is None:
        assert usage is None
        return
    assert {
        "input": (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        "output": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "cached": usage.cached_content_token_count or 0,
        "reasoning": usage.thoughts_token_count or 0,
    } == expected["usage"]


@pytest.mark.parametrize("case", cases("whole"))
def test_generate(case):
    check([CLIENT.models.generate_content(**asked(case))], case)


@pytest.mark.parametrize("case", cases("stream"))
def test_stream(case):
    check(CLIENT.models.generate_content_stream(**asked(case)), case)


@pytest.mark.parametrize("case", cases("error"))
def test_error(case):
    with pytest.raises(errors.APIError) as caught:
        if case["stream"]:
            list(CLIENT.models.generate_content_stream(**asked(case)))
        else:
            CLIENT.models.generate_content(**asked(case))
    # Google has no 422.
    status = {422: 400}.get(case["error"]["status"], case["error"]["status"])
    assert caught.value.code == status
    assert isinstance(caught.value, errors.ClientError if status < 500 else errors.ServerError)
    assert case["error"]["message"] in caught.value.message


@pytest.mark.parametrize("case", cases("broken"))
def test_broken(case):
    seen = Seen()
    with pytest.raises(errors.APIError):
        for chunk in CLIENT.models.generate_content_stream(**asked(case)):
            for candidate in chunk.candidates or []:
                seen.take(candidate)
    assert seen.text == case["text"]
    assert seen.finish is None


@pytest.mark.parametrize("case", cases("vision"))
def test_vision(case):
    """What reaches the provider is compared by tests/sdk.rs, which sees its requests."""
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    answer = CLIENT.models.generate_content(**asked(case, contents=["What is this?", image]))
    assert answer.text == case["expected"]["choices"][0]["text"]


@pytest.mark.parametrize("case", cases("tool_loop"))
def test_tool_loop(case):
    question = types.Content(role="user", parts=[types.Part.from_text(text="What is the weather?")])
    request = asked(case, contents=[question])
    first = CLIENT.models.generate_content(**request)
    assert first.function_calls
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"result": f"result of {call.name}"}
            )
        )
        for call in first.function_calls
    ]
    request["model"] = case["second_model"]
    request["contents"] = [question, first.candidates[0].content, types.Content(role="user", parts=results)]
    assert CLIENT.models.generate_content(**request).text == case["second_text"]


def test_a_stream_without_events_is_one_array():
    case = next(case for case in PLAN["cases"] if case["kind"] == "stream")
    request = urllib.request.Request(
        f"{BASE}/v1beta/models/{case['model'].replace('/', '%2F')}:streamGenerateContent",
        data=json.dumps({"contents": "Hello"}).encode(),
        headers={"x-goog-api-key": PLAN["api_key"], "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.headers["content-type"].startswith("application/json")
        chunks = json.load(response)
    assert chunks[-1]["candidates"][0]["finishReason"]


def test_a_prefix_before_the_model_is_understood():
    answer = CLIENT.models.generate_content(model=f"models/{PLAN['route']}", contents="Hello")
    assert answer.candidates


def test_a_wrong_key_is_refused():
    with pytest.raises(errors.ClientError) as caught:
        client("sb-wrong").models.generate_content(model=PLAN["route"], contents="Hello")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


def test_an_unknown_model_is_not_found():
    with pytest.raises(errors.ClientError) as caught:
        CLIENT.models.generate_content(model="nobody/nothing", contents="Hello")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_a_bad_request_names_its_field():
    contents = types.Content(role="nobody", parts=[types.Part.from_text(text="Hello")])
    with pytest.raises(errors.ClientError) as caught:
        CLIENT.models.generate_content(model=PLAN["route"], contents=[contents])
    assert caught.value.code == 400 and "contents[0].role" in caught.value.message
