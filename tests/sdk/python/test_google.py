"""Google's official SDK for Python against signalboxd, whose providers replay recorded answers.

The cases are those of test_openai.py: what a plain reading of each record says, in OpenAI's words for
why an answer stopped.
"""

import base64
import json
import os
import pathlib
import re
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


def readable(kind):
    """Without answers whose recorded client asked for numbers instead of names, as no SDK of these does."""
    return [case for case in cases(kind) if not (case.values[0]["sent"] or {}).get("has_numbers")]


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
                self.call(part.function_call)
            elif part.text and part.thought:
                self.thoughts += part.text
            elif part.text:
                self.text += part.text
        self.finish = candidate.finish_reason and candidate.finish_reason.name

    def call(self, call):
        """A call begins with its name; what has none goes on with the arguments of the last."""
        if call.name:
            self.calls.append({"name": call.name, "id": call.id, "arguments": leaves(call.args or {})})
        arguments = self.calls[-1]["arguments"]
        for piece in call.partial_args or []:
            place = re.sub(r"\.|\[", "/", piece.json_path.removeprefix("$")).replace("]", "")
            if piece.string_value is not None:
                arguments[place] = arguments.get(place, "") + piece.string_value
            elif (value := piece.number_value if piece.bool_value is None else piece.bool_value) is not None:
                arguments[place] = value

    def check(self, choice, is_verbatim):
        assert self.text == choice["text"] + choice["refusal"]
        assert self.thoughts == choice["reasoning"]
        seen = [{"name": call["name"], "arguments": call["arguments"]} for call in self.calls]
        assert seen == [{"name": call["name"], "arguments": as_args(call["arguments"])} for call in choice["calls"]]
        assert self.finish in STOPS[choice["finish_reason"]]
        ids = [call["id"] for call in self.calls]
        # Google's own bytes pass unchanged, and it gives few calls an id.
        assert is_verbatim or (all(ids) and len(set(ids)) == len(ids)), ids


def check(chunks, case):
    expected, is_verbatim = case["expected"], case["protocol"] == "gemini-generate"
    seen, usage = {}, {}
    for chunk in chunks:
        assert is_verbatim or (chunk.response_id and chunk.model_version)
        for candidate in chunk.candidates or []:
            seen.setdefault(candidate.index or 0, Seen()).take(candidate)
        # A later report adds to an earlier one.
        usage |= chunk.usage_metadata.model_dump(exclude_none=True) if chunk.usage_metadata else {}
    assert len(seen) == len(expected["choices"])
    for index, choice in enumerate(expected["choices"]):
        seen[index].check(choice, is_verbatim)
    if expected["usage"] is None:
        assert not usage
        return
    assert {
        "input": usage.get("prompt_token_count", 0) + usage.get("tool_use_prompt_token_count", 0),
        "output": usage.get("candidates_token_count", 0) + usage.get("thoughts_token_count", 0),
        "cached": usage.get("cached_content_token_count", 0),
        "reasoning": usage.get("thoughts_token_count", 0),
    } == expected["usage"]


@pytest.mark.parametrize("case", readable("whole"))
def test_generate(case):
    check([CLIENT.models.generate_content(**asked(case))], case)


@pytest.mark.parametrize("case", readable("stream"))
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
    stranger = client("sb-wrong")
    with pytest.raises(errors.ClientError) as caught:
        stranger.models.generate_content(model=PLAN["route"], contents="Hello")
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


def test_the_rehearsal_answers_whole_and_streamed():
    whole = CLIENT.models.generate_content(model="rehearsal/fast", contents="Hello")
    chunks = list(CLIENT.models.generate_content_stream(model="rehearsal/fast", contents="Hello"))
    assert whole.text and "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].candidates[0].finish_reason.name == "STOP"


def test_the_rehearsal_calls_a_tool():
    config = types.GenerateContentConfig(tools=TOOLS)
    answer = CLIENT.models.generate_content(model="rehearsal/drill-tool", contents="Hello", config=config)
    assert [call.name for call in answer.function_calls] == ["get_weather"]
    assert "city" in answer.function_calls[0].args


def test_the_rehearsals_failures_raise():
    for drill, kind, code in [("429", errors.ClientError, 429), ("503", errors.ServerError, 503)]:
        with pytest.raises(kind) as caught:
            CLIENT.models.generate_content(model=f"rehearsal/drill-{drill}", contents="Hello")
        assert caught.value.code in (code, 502)
    with pytest.raises(errors.APIError):
        list(CLIENT.models.generate_content_stream(model="rehearsal/drill-cut", contents="Hello"))
