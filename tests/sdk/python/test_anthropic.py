"""The official Anthropic SDK for Python against signalboxd, whose providers replay recorded answers.

The cases are those of test_openai.py: what a plain reading of each record says, in OpenAI's words for
why an answer stopped. A client of Anthropic's sees the first choice; it cannot ask for more.
"""

import json
import os
import pathlib

import anthropic
import pytest

PLAN = json.loads(pathlib.Path(os.environ["SIGNALBOX_SDK_CASES"]).read_text(encoding="utf-8"))
CLIENT = anthropic.Anthropic(
    base_url=PLAN["base_url"].removesuffix("/v1"), api_key=PLAN["api_key"], max_retries=0, timeout=60
)
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather in a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
# A tiny valid PNG.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# OpenAI's words for why an answer stopped, and what Anthropic says for each.
STOPS = {
    "stop": {"end_turn", "stop_sequence", "pause_turn"},
    "length": {"max_tokens", "model_context_window_exceeded"},
    "tool_calls": {"tool_use"},
    "content_filter": {"refusal"},
}


def cases(kind):
    return [pytest.param(case, id=case["id"]) for case in PLAN["cases"] if case["kind"] == kind]


def asked(case, **more):
    """The request: tools are declared where the recorded answer calls some."""
    expected = case["expected"] or {"choices": []}
    if any(choice["calls"] for choice in expected["choices"]):
        more.setdefault("tools", TOOLS)
    more.setdefault("messages", [{"role": "user", "content": "Hello"}])
    return {"model": case["model"], "max_tokens": 1000, **more}


def leaves(value, path=""):
    """Every value that is no object or list, by its path."""
    if isinstance(value, dict):
        return {place: leaf for name, inner in value.items() for place, leaf in leaves(inner, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {place: leaf for at, inner in enumerate(value) for place, leaf in leaves(inner, f"{path}/{at}").items()}
    return {} if value is None else {path: value}


def as_input(arguments):
    """Arguments that are no object reach a client of Anthropic's under that name, whole; none are none."""
    if arguments == "":
        return {}
    return {"/arguments": arguments} if isinstance(arguments, str) else arguments


def has_broken_arguments(case):
    calls = [call for choice in case["expected"]["choices"] for call in choice["calls"]]
    return any(isinstance(call["arguments"], str) and call["arguments"] for call in calls)


def check(message, expected):
    choice = expected["choices"][0]
    texts = [block.text for block in message.content if block.type == "text" and not block.text.startswith("![image](")]
    thoughts = [block.thinking for block in message.content if block.type == "thinking"]
    calls = [block for block in message.content if block.type == "tool_use"]
    assert message.type == "message" and message.role == "assistant" and message.id and message.model
    assert "".join(texts) == choice["text"] + choice["refusal"]
    assert "".join(thoughts) == choice["reasoning"]
    seen = [{"name": call.name, "arguments": leaves(call.input)} for call in calls]
    assert seen == [{"name": call["name"], "arguments": as_input(call["arguments"])} for call in choice["calls"]]
    assert message.stop_reason in STOPS[choice["finish_reason"]]
    ids = [call.id for call in calls]
    assert all(ids) and len(set(ids)) == len(ids), ids
    if expected["usage"] is not None:
        assert seen_usage(message.usage) == expected["usage"]


def seen_usage(usage):
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    return {
        "input": usage.input_tokens + read + written,
        "output": usage.output_tokens,
        "cached": read,
        "reasoning": details.thinking_tokens if details else 0,
    }


@pytest.mark.parametrize("case", cases("whole"))
def test_message(case):
    check(CLIENT.messages.create(**asked(case)), case["expected"])


@pytest.mark.parametrize("case", cases("stream"))
def test_stream(case):
    """Through the SDK's own accumulator, which is strict about order and indices."""
    if has_broken_arguments(case):
        pytest.skip("the SDK itself raises at input that is no JSON, Anthropic's own too")
    with CLIENT.messages.stream(**asked(case)) as stream:
        for _ in stream:
            pass
        check(stream.get_final_message(), case["expected"])


@pytest.mark.parametrize("case", cases("stream"))
def test_blocks_follow_one_another(case):
    """No client needs to know that parts may overlap."""
    is_open, blocks, names = None, 0, []
    for event in CLIENT.messages.create(**asked(case, stream=True)):
        names.append(event.type)
        if event.type == "content_block_start":
            assert is_open is None and event.index == blocks
            is_open, blocks = event.index, blocks + 1
        elif event.type == "content_block_delta":
            assert event.index == is_open
        elif event.type == "content_block_stop":
            assert event.index == is_open
            is_open = None
    assert is_open is None
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"]


# Where a status of OpenAI's is several of Anthropic's.
NARROWER = {429: {429, 402}, 502: {502, 504, 529}}


@pytest.mark.parametrize("case", cases("error"))
def test_errors_raise_the_right_class(case):
    wanted = case["error"]
    with pytest.raises(anthropic.APIStatusError) as caught:
        if case["stream"]:
            list(CLIENT.messages.create(**asked(case, stream=True)))
        else:
            CLIENT.messages.create(**asked(case))
    status = caught.value.status_code
    assert status in NARROWER.get(wanted["status"], {wanted["status"]})
    name = "PaymentRequiredError" if status == 402 else wanted["class"]
    assert isinstance(caught.value, getattr(anthropic, name))
    body = caught.value.body
    assert body["type"] == "error" and body["error"]["type"].endswith(("_error", "_too_large"))
    assert wanted["message"] in body["error"]["message"]


@pytest.mark.parametrize("case", cases("broken"))
def test_a_stream_that_breaks_off_raises(case):
    text = ""
    with pytest.raises(anthropic.APIError):
        for event in CLIENT.messages.create(**asked(case, stream=True)):
            assert event.type not in ("message_delta", "message_stop")
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text += event.delta.text
    assert text == case["text"]


@pytest.mark.parametrize("case", cases("vision"))
def test_vision(case):
    """What reaches the provider is compared by tests/sdk.rs, which sees its requests."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    content = [{"type": "text", "text": "What is this?"}, image]
    answer = CLIENT.messages.create(**asked(case, messages=[{"role": "user", "content": content}]))
    check(answer, case["expected"])


@pytest.mark.parametrize("case", cases("tool_loop"))
def test_a_tool_result_goes_back(case):
    question = {"role": "user", "content": "What is the weather?"}
    first = CLIENT.messages.create(**asked(case, messages=[question], tools=TOOLS))
    assert first.stop_reason == "tool_use"
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"result of {block.name}"}
        for block in first.content
        if block.type == "tool_use"
    ]
    messages = [question, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = CLIENT.messages.create(
        model=case["second_model"], max_tokens=1000, messages=messages, tools=TOOLS
    )
    assert "".join(block.text for block in second.content if block.type == "text") == case["second_text"]


def hello(**more):
    return CLIENT.messages.create(
        **{"model": PLAN["route"], "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}], **more}
    )


def test_a_wrong_key_is_refused():
    stranger = anthropic.Anthropic(base_url=CLIENT.base_url, api_key="sb-wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model=PLAN["route"], max_tokens=1, messages=[{"role": "user", "content": "Hello"}])


def test_an_unknown_model_is_not_found():
    with pytest.raises(anthropic.NotFoundError) as caught:
        hello(model="nobody/nothing")
    assert caught.value.body["error"]["type"] == "not_found_error"


def test_a_bad_request_names_its_field():
    with pytest.raises(anthropic.BadRequestError) as caught:
        hello(messages=[{"role": "nobody", "content": "Hello"}])
    assert "messages[0].role" in caught.value.body["error"]["message"]


def test_a_thread_is_refused_in_the_words_that_the_sdk_goes_on_from():
    with pytest.raises(anthropic.BadRequestError) as caught:
        hello(extra_body={"thread": {"type": "create"}})
    assert type(caught.value).__name__ == "ThreadUnsupportedRequestError"
    assert caught.value.body["error"]["details"]["unsupported"] == ["thread"]


def test_the_rehearsal_answers_whole_and_streamed():
    whole = hello(model="rehearsal/fast", max_tokens=1000)
    request = {"model": "rehearsal/fast", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}]}
    with CLIENT.messages.stream(**request) as stream:
        streamed = stream.get_final_message()
    assert whole.content[0].text and streamed.content[0].text == whole.content[0].text
    assert whole.stop_reason == streamed.stop_reason == "end_turn"


def test_the_rehearsal_calls_a_tool():
    answer = hello(model="rehearsal/drill-tool", max_tokens=1000, tools=TOOLS)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather"] and "city" in calls[0].input


def test_the_rehearsals_failures_raise():
    with pytest.raises(anthropic.RateLimitError) as caught:
        hello(model="rehearsal/drill-429")
    assert caught.value.response.headers["retry-after"] == "2"
    with pytest.raises(anthropic.InternalServerError):
        hello(model="rehearsal/drill-503")
    with pytest.raises(anthropic.InternalServerError):
        hello(model="rehearsal/drill-500-html")
    with pytest.raises(anthropic.APIError):
        list(hello(model="rehearsal/drill-cut", stream=True))
