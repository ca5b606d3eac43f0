"""OpenAI's Responses through the official SDK for Python, with recorded answers behind it.

Answers of other families are checked against a plain reading of their records, as in test_openai.py, a
third of them; those of Responses' own providers, which pass in their own bytes, all of them.
"""

import json
import os
import pathlib

import openai
import pydantic
import pytest

PLAN = json.loads(pathlib.Path(os.environ["SIGNALBOX_SDK_CASES"]).read_text(encoding="utf-8"))
CLIENT = openai.OpenAI(base_url=PLAN["base_url"], api_key=PLAN["api_key"], max_retries=0, timeout=60)
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather in a city.",
        "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
ENDS = ("response.completed", "response.incomplete", "response.failed")


def cases(kind, step=1):
    return [pytest.param(case, id=case["id"]) for case in PLAN["cases"] if case["kind"] == kind][::step]


def asked(case, **more):
    expected = case["expected"] or {"choices": []}
    if any(choice["calls"] for choice in expected["choices"]):
        more.setdefault("tools", TOOLS)
    more.setdefault("input", "Hello")
    return {"model": case["model"], **more}


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


def pieces(answer, kind):
    contents = [piece for item in answer.output if item.type == "message" for piece in item.content or []]
    return "".join(getattr(piece, "text" if kind == "output_text" else kind) for piece in contents if piece.type == kind)


def letters(text):
    """Thoughts are told in pieces, split at blank lines."""
    return "".join(text.split())


def check(case, answer):
    expected = case["expected"]
    choice = expected["choices"][0]
    assert pieces(answer, "output_text") == choice["text"]
    assert answer.output_text == choice["text"]
    assert pieces(answer, "refusal") == choice["refusal"]
    calls = [item for item in answer.output if item.type in ("function_call", "custom_tool_call")]
    said = [item.arguments if item.type == "function_call" else item.input for item in calls]
    seen = [{"name": item.name, "arguments": arguments(text)} for item, text in zip(calls, said, strict=True)]
    assert seen == choice["calls"]
    ids = [item.call_id for item in calls]
    assert all(ids) and len(set(ids)) == len(ids), ids
    if case["protocol"] == "openai-responses":
        assert (answer.incomplete_details.reason if answer.incomplete_details else answer.status) == choice["finish_reason"]
    else:
        check_translated(answer, choice)
    check_usage(case, answer.usage)


def check_translated(answer, choice):
    thoughts = [piece.text for item in answer.output if item.type == "reasoning" for piece in item.summary or []]
    assert letters("".join(thoughts)) == letters(choice["reasoning"])
    reason = answer.incomplete_details and answer.incomplete_details.reason
    wanted = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(choice["finish_reason"])
    assert reason == wanted or (choice["refusal"] and reason is None)
    assert answer.status == ("incomplete" if reason else "completed")


def check_usage(case, usage):
    wanted = case["expected"]["usage"]
    if wanted is None:
        return
    assert (usage.input_tokens, usage.output_tokens) == (wanted["input"], wanted["output"])
    if case["protocol"] != "openai-responses":
        assert usage.input_tokens_details.cached_tokens == wanted["cached"]
        assert usage.output_tokens_details.reasoning_tokens == wanted["reasoning"]


def own_stream(request):
    """As `streamed`, without the accumulator: it refuses ids that change on the way (Copilot) and events
    that it does not know. Where the last event holds no output (ChatGPT), the items stand before it."""
    text, final, items = "", None, []
    for event in CLIENT.responses.create(**request, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.output_item.done":
            items.append(event.item)
        elif event.type in ENDS:
            final = event.response
            final.output = final.output or items
    return text, final


def streamed(request):
    """The last event's answer, and the text of all deltas, through the SDK's own accumulator."""
    text, final = "", None
    with CLIENT.responses.stream(**request) as stream:
        for event in stream:
            assert final is None, "something follows the end"
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type in ENDS:
                final = event.response
    return text, final


@pytest.mark.parametrize("case", [*cases("whole", 3), *cases("responses_whole")])
def test_response(case):
    check(case, CLIENT.responses.create(**asked(case)))


@pytest.mark.parametrize("case", [*cases("stream", 3), *cases("responses_stream")])
def test_stream(case):
    is_own = case["protocol"] == "openai-responses"
    text, final = (own_stream if is_own else streamed)(asked(case))
    check(case, final)
    # Some providers tell all of a message at once, at its end.
    assert text == final.output_text or (is_own and not text)


@pytest.mark.parametrize("case", cases("error"))
def test_errors_raise_the_right_class(case):
    with pytest.raises(getattr(openai, case["error"]["class"])) as caught:
        CLIENT.responses.create(**asked(case, stream=case["stream"]))
    assert caught.value.status_code == case["error"]["status"]
    assert case["error"]["message"] in caught.value.message


@pytest.mark.parametrize("case", cases("broken"))
def test_a_stream_that_breaks_off_never_completes(case):
    text, last = "", None
    try:
        for event in CLIENT.responses.create(**asked(case, stream=True)):
            last = event.type
            text += event.delta if last == "response.output_text.delta" else ""
    except openai.APIError:
        last = "error"
    assert last in ("error", "response.failed")
    assert text == case["text"]


@pytest.mark.parametrize("case", cases("tool_loop"))
def test_a_tool_result_goes_back(case):
    """With everything that the first answer held before it, thoughts included."""
    question = {"role": "user", "content": "What is the weather?"}
    first = CLIENT.responses.create(**asked(case, input=[question], tools=TOOLS))
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": f"result of {item.name}"}
        for item in first.output
        if item.type == "function_call"
    ]
    assert results
    second = CLIENT.responses.create(
        model=case["second_model"], input=[question, *first.output, *results], tools=TOOLS
    )
    assert second.output_text == case["second_text"]


@pytest.mark.parametrize("case", cases("thought_loop"))
def test_a_thought_goes_back(case):
    """That its proof reaches the provider unchanged is seen by tests/sdk.rs."""
    question = {"role": "user", "content": "Think."}
    first = CLIENT.responses.create(**asked(case, input=[question], include=["reasoning.encrypted_content"]))
    thoughts = [item for item in first.output if item.type == "reasoning"]
    assert thoughts and all(item.encrypted_content for item in thoughts)
    more = {"role": "user", "content": "Go on."}
    second = CLIENT.responses.create(model=case["second_model"], input=[question, *first.output, more])
    assert second.output_text == case["second_text"]


class City(pydantic.BaseModel):
    name: str
    people: int


def test_structured_output_is_parsed():
    answer = CLIENT.responses.parse(model="rehearsal/fast", input="A city.", text_format=City)
    assert isinstance(answer.output_parsed, City)
    with CLIENT.responses.stream(model="rehearsal/fast", input="A city.", text_format=City) as stream:
        assert isinstance(stream.get_final_response().output_parsed, City)


def test_the_rehearsal_answers_whole_and_streamed():
    whole = CLIENT.responses.create(model="rehearsal/fast", input="Hello")
    text, final = streamed({"model": "rehearsal/fast", "input": "Hello"})
    assert whole.status == final.status == "completed"
    assert text == final.output_text == whole.output_text != ""


def test_the_rehearsal_calls_a_tool():
    answer = CLIENT.responses.create(model="rehearsal/drill-tool", input="Hello", tools=TOOLS)
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather"] and "city" in json.loads(calls[0].arguments)


def test_the_rehearsals_failures_raise():
    for model, error in [("drill-429", openai.RateLimitError), ("drill-503", openai.InternalServerError)]:
        with pytest.raises(error) as caught:
            CLIENT.responses.create(model=f"rehearsal/{model}", input="Hello")
        assert model != "drill-429" or caught.value.response.headers["retry-after"] == "2"


def test_a_wrong_key_is_refused():
    stranger = openai.OpenAI(base_url=PLAN["base_url"], api_key="sb-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.responses.create(model=PLAN["route"], input="Hello")


def test_an_unknown_model_is_not_found():
    with pytest.raises(openai.NotFoundError) as caught:
        CLIENT.responses.create(model="nobody/nothing", input="Hello")
    assert caught.value.code == "model_not_found"


def test_a_bad_request_names_its_field():
    with pytest.raises(openai.BadRequestError) as caught:
        CLIENT.responses.create(model=PLAN["route"], input=[{"role": "nobody", "content": "Hello"}])
    assert caught.value.param.startswith("input[0]")
