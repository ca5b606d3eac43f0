"""The official OpenAI SDK for Python against signalboxd, whose providers replay recorded answers.

`SIGNALBOX_SDK_CASES` names a JSON file that tests/sdk.rs wrote: the port's address, a client key,
and per case the model to ask for and what a plain reading of the record says the answer is.
"""

import json
import os
import pathlib

import openai
import pytest

PLAN = json.loads(pathlib.Path(os.environ["SIGNALBOX_SDK_CASES"]).read_text(encoding="utf-8"))
CLIENT = openai.OpenAI(base_url=PLAN["base_url"], api_key=PLAN["api_key"], max_retries=0, timeout=60)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            # The SDK's streaming helper takes strict tools only.
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
# A tiny valid PNG.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def cases(kind):
    return [pytest.param(case, id=case["id"]) for case in PLAN["cases"] if case["kind"] == kind]


def ask(case, **more):
    """The request: tools are declared where the recorded answer calls some."""
    expected = case["expected"] or {"choices": []}
    has_calls = any(choice["calls"] for choice in expected["choices"])
    if has_calls and "tools" not in more:
        more["tools"] = TOOLS
    message = {"role": "user", "content": "Hello"}
    return CLIENT.chat.completions.create(model=case["model"], messages=[message], **more)


def leaves(value, path=""):
    """Every value that is no object or list, by its path."""
    if isinstance(value, dict):
        return {place: leaf for name, inner in value.items() for place, leaf in leaves(inner, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {place: leaf for at, inner in enumerate(value) for place, leaf in leaves(inner, f"{path}/{at}").items()}
    return {} if value is None else {path: value}


def arguments(text):
    """Key order and spacing do not count; text that is no JSON stays text."""
    try:
        return leaves(json.loads(text))
    except ValueError:
        return text


def seen_choice(message, finish_reason):
    return {
        "text": message.content or "",
        "refusal": message.refusal or "",
        "reasoning": getattr(message, "reasoning_content", None) or "",
        "calls": [
            {"name": call.function.name, "arguments": arguments(call.function.arguments)}
            for call in message.tool_calls or []
        ],
        "finish_reason": finish_reason,
    }


def seen_usage(usage):
    if usage is None:
        return None
    return {
        "input": usage.prompt_tokens,
        "output": usage.completion_tokens,
        "cached": usage.prompt_tokens_details.cached_tokens,
        "reasoning": usage.completion_tokens_details.reasoning_tokens,
    }


def check_calls(message):
    """Ids are there and differ, so that results can be sent back."""
    ids = [call.id for call in message.tool_calls or []]
    assert all(ids) and len(set(ids)) == len(ids), ids


@pytest.mark.parametrize("case", cases("whole"))
def test_chat(case):
    answer = ask(case)
    assert answer.object == "chat.completion"
    assert [seen_choice(choice.message, choice.finish_reason) for choice in answer.choices] == case["expected"][
        "choices"
    ]
    assert seen_usage(answer.usage) == case["expected"]["usage"]
    for choice in answer.choices:
        check_calls(choice.message)


@pytest.mark.parametrize("case", cases("stream"))
def test_stream(case):
    """Through the SDK's own accumulator, which is strict about indices, roles and tool calls."""
    # With strict tools the helper refuses to go on where a limit cut the arguments short.
    choices = case["expected"]["choices"]
    is_cut = any(choice["finish_reason"] in ("length", "content_filter") for choice in choices)
    declares = any(choice["calls"] for choice in choices) and not is_cut
    reasoning, final_usage = {}, None
    with CLIENT.chat.completions.stream(
        model=case["model"],
        messages=[{"role": "user", "content": "Hello"}],
        stream_options={"include_usage": True},
        **({"tools": TOOLS} if declares else {}),
    ) as stream:
        for event in stream:
            if event.type != "chunk":
                continue
            assert event.chunk.object == "chat.completion.chunk"
            final_usage = event.chunk.usage or final_usage
            for choice in event.chunk.choices:
                piece = getattr(choice.delta, "reasoning_content", None) or ""
                reasoning[choice.index] = reasoning.get(choice.index, "") + piece
        # `get_final_completion` refuses answers that a limit or a filter cut short.
        answer = stream.current_completion_snapshot
    seen = []
    for choice in answer.choices:
        one = seen_choice(choice.message, choice.finish_reason)
        one["reasoning"] = reasoning.get(choice.index, "")
        seen.append(one)
        check_calls(choice.message)
    assert seen == case["expected"]["choices"]
    assert seen_usage(final_usage) == case["expected"]["usage"]


@pytest.mark.parametrize("case", cases("stream"))
def test_usage_is_only_shown_to_those_who_ask(case):
    chunks = list(ask(case, stream=True))
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks), "a chunk without choices breaks simple clients"


@pytest.mark.parametrize("case", cases("error"))
def test_errors_raise_the_right_class(case):
    expected = getattr(openai, case["error"]["class"])
    with pytest.raises(expected) as caught:
        ask(case, stream=case["stream"])
    assert caught.value.status_code == case["error"]["status"]
    assert case["error"]["message"] in caught.value.message
    assert isinstance(caught.value.body, dict) and caught.value.body["message"]


@pytest.mark.parametrize("case", cases("broken"))
def test_a_stream_that_breaks_off_raises(case):
    text = ""
    with pytest.raises(openai.APIError):
        for chunk in ask(case, stream=True):
            for choice in chunk.choices:
                assert choice.finish_reason is None
                text += choice.delta.content or ""
    assert text == case["text"]


@pytest.mark.parametrize("case", cases("vision"))
def test_vision(case):
    """What reaches the provider is compared by tests/sdk.rs, which sees its requests."""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    answer = CLIENT.chat.completions.create(model=case["model"], messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == case["expected"]["choices"][0]["text"]


@pytest.mark.parametrize("case", cases("tool_loop"))
def test_a_tool_result_goes_back(case):
    question = {"role": "user", "content": "What is the weather?"}
    first = CLIENT.chat.completions.create(model=case["model"], messages=[question], tools=TOOLS)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result of {call.function.name}"}
        for call in message.tool_calls
    ]
    second = CLIENT.chat.completions.create(
        model=case["second_model"], messages=[question, message, *results], tools=TOOLS
    )
    assert second.choices[0].message.content == case["second_text"]


def test_models_are_listed():
    listed = [model.id for model in CLIENT.models.list()]
    assert PLAN["route"] in listed


def test_a_wrong_key_is_refused():
    stranger = openai.OpenAI(base_url=PLAN["base_url"], api_key="sb-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_an_unknown_model_is_not_found():
    with pytest.raises(openai.NotFoundError) as caught:
        CLIENT.chat.completions.create(model="nobody/nothing", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.code == "model_not_found"


def test_a_bad_request_names_its_field():
    with pytest.raises(openai.BadRequestError) as caught:
        CLIENT.chat.completions.create(model=PLAN["route"], messages=[{"role": "nobody", "content": "Hello"}])
    assert caught.value.param == "messages[0].role"
