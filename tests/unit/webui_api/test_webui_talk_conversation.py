"""What chat front ends send: questions, and requests of their own that want JSON."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from webui_api.talk.agent_answers import EXAMPLES
from webui_api.talk.conversation import (
    MAX_MESSAGES,
    MAX_TITLE_LENGTH,
    Conversation,
    Task,
    background_task,
    follow_ups,
    pieces,
    task_answer,
    title,
)
from webui_api.talk.question import Intent, Language
from webui_api.talk.recognition import recognise

HISTORY = "<chat_history>\nUSER: qual o preço do bitcoin?\nASSISTANT: **BTC-USDT** {wanted}\n</chat_history>"


def conversation(*contents: Any, role: str = "user") -> Conversation:
    return Conversation.model_validate({"messages": [{"role": role, "content": content} for content in contents]})


def prompt(key: str, history: str = HISTORY) -> str:
    """A request in the form of Open WebUI's own: task, rules, the JSON that it wants, the conversation."""
    return f'### Task:\nWrite something.\n### Output:\nJSON format: {{ "{key}": "…" }}\n### Chat History:\n{history}'


@pytest.mark.parametrize("task", [Task.TITLE, Task.TAGS, Task.FOLLOW_UPS, Task.QUERIES, Task.COMPLETION])
def test_a_background_request_is_known_by_its_prompt_and_gets_its_json(task: Task) -> None:
    text = prompt(task)
    assert background_task(conversation(text), None) is task
    assert set(json.loads(task_answer(task, text))) == {str(task)}


@pytest.mark.parametrize(
    ("header", "task"),
    [
        ("title_generation", Task.TITLE),
        ("tags_generation", Task.TAGS),
        ("follow_up_generation", Task.FOLLOW_UPS),
        ("Query_Generation ", Task.QUERIES),
        ("", None),
        ("{{TASK}}", None),
    ],
)
def test_a_background_request_is_known_by_its_header(header: str, task: Task | None) -> None:
    assert background_task(conversation("qual o preço?"), header) is task


def test_the_key_that_counts_is_the_prompts_and_not_one_in_the_conversation() -> None:
    history = '<chat_history>\nUSER: what is "title": here\n</chat_history>'
    assert background_task(conversation(prompt("tags", history)), None) is Task.TAGS
    assert background_task(conversation(f"### Task:\nAnswer.\n{history}"), None) is None


def test_title_tags_and_follow_ups_are_made_of_the_conversation() -> None:
    assert json.loads(task_answer(Task.TITLE, prompt("title"))) == {"title": "Qual o preço do bitcoin?"}
    assert json.loads(task_answer(Task.TAGS, prompt("tags"))) == {"tags": ["bitcoin", "trading"]}
    questions = json.loads(task_answer(Task.FOLLOW_UPS, prompt("follow_ups")))["follow_ups"]
    assert len(questions) == 3
    assert {recognise(question).language for question in questions} == {Language.PORTUGUESE}


def test_a_prompt_without_a_conversation_still_gets_its_json() -> None:
    assert json.loads(task_answer(Task.TITLE, prompt("title", ""))) == {"title": "Bitcoin"}
    assert json.loads(task_answer(Task.FOLLOW_UPS, prompt("follow_ups", ""))) == {"follow_ups": []}


def test_a_choice_of_tools_gets_no_tool_calls() -> None:
    asked = Conversation.model_validate(
        {
            "messages": [
                {"role": "system", "content": 'Available Tools: [{"name": "search"}]\n\nChoose the correct ones.'},
                {"role": "user", "content": "Query: qual o preço?"},
            ]
        }
    )
    assert background_task(asked, None) is Task.TOOLS
    assert json.loads(task_answer(Task.TOOLS, asked.question)) == {"tool_calls": []}


def test_an_emoji_is_no_json() -> None:
    asked = conversation("Your task is to reflect the speaker's likely facial expression through a fitting emoji.")
    assert background_task(asked, None) is Task.EMOJI
    assert task_answer(Task.EMOJI, asked.question) == "📈"


@pytest.mark.parametrize("text", ["qual o preço?", "task: price", "Task: show the price", '{"title": "price"}'])
def test_a_persons_question_is_no_background_request(text: str) -> None:
    assert background_task(conversation(text), None) is None


@pytest.mark.parametrize("intent", list(EXAMPLES))
def test_every_example_is_understood_as_what_it_is_an_example_of(intent: Intent) -> None:
    portuguese, english = map(recognise, EXAMPLES[intent])
    assert (portuguese.intent, english.intent) == (intent, intent)
    assert (portuguese.language, english.language) == (Language.PORTUGUESE, Language.ENGLISH)


@pytest.mark.parametrize("question", [text for pair in EXAMPLES.values() for text in pair])
def test_follow_ups_are_three_other_questions(question: str) -> None:
    asked = recognise(question).intent
    assert len({recognise(text).intent for text in follow_ups(question)} - {asked, Intent.UNKNOWN}) == 3


def test_titles_are_short() -> None:
    assert title("  qual\n o  preço? ") == "Qual o preço?"
    assert len(title("preço " * 100)) <= MAX_TITLE_LENGTH
    assert title("preço " * 100).endswith("…")


def test_the_newest_message_of_the_user_is_the_question() -> None:
    body = {
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "price"},
            {"role": "assistant", "content": "…", "tool_calls": [{"id": "1"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "RSI"}]},
            {"role": "assistant", "content": None},
            {"role": "tool", "content": "result"},
        ],
        "model": "anything",
        "tools": [{"type": "function"}],
        "temperature": 0,
    }  # fmt: skip
    assert Conversation.model_validate(body).question == "RSI"
    assert Conversation.model_validate({"messages": []}).question == ""


def test_a_question_that_tells_no_language_has_its_conversations() -> None:
    assert conversation("what is the price?", "status").language is Language.ENGLISH
    assert conversation("what is the price?", "qual o status?").language is Language.PORTUGUESE
    assert conversation("status").language is Language.PORTUGUESE


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "price"},
        {"messages": [{"content": "price"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x"}] * (MAX_MESSAGES + 1)},
    ],
)
def test_a_body_that_is_no_conversation_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Conversation.model_validate(body)


def test_pieces_together_are_the_text() -> None:
    text = "**a**\n\n- b\n- c"
    assert "".join(pieces(text)) == text
    assert len(pieces(text)) > 1
