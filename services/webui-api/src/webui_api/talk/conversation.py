"""What chat front ends send: messages, and requests of their own that are not a person's questions. Pure."""

import json
import re
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, Field

from webui_api.talk.agent_answers import EXAMPLES
from webui_api.talk.question import Intent, Language
from webui_api.talk.recognition import language_of, recognise
from webui_api.talk.wording import Voice

MAX_QUESTION_LENGTH = 2_000
MAX_MESSAGES = 1_000
MAX_TITLE_LENGTH = 60
MESSAGES_FOR_LANGUAGE = 10
"""Older messages do not tell the language of a question that does not tell it itself."""


class Part(BaseModel):
    """A part of a message: text counts, pictures and files do not."""

    type: str = "text"
    text: str | None = None


class Message(BaseModel):
    """One message; what else a front end puts into it is ignored."""

    role: str = Field(description="user, assistant, system, tool, …; the newest of user is answered")
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text" and part.text)
        return self.content or ""


class Conversation(BaseModel):
    """The body of both chat protocols, as far as it matters. There is one model, so any name of it will do."""

    messages: list[Message] = Field(max_length=MAX_MESSAGES, description="the conversation, oldest first")
    stream: bool | None = None

    @property
    def question(self) -> str:
        """The newest message of the user; empty if there is none."""
        return next((message.text.strip() for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def language(self) -> Language:
        """The language of the newest of the user's last messages that tells one."""
        texts = [message.text[:MAX_TITLE_LENGTH] for message in self.messages if message.role == "user"]
        newest_first = reversed(texts[-MESSAGES_FOR_LANGUAGE:])
        return next((found for text in newest_first if (found := language_of(text))), Language.PORTUGUESE)


class Task(StrEnum):
    """What Open WebUI asks a model for in the background; values are the key of the JSON that it wants back."""

    TITLE = "title"
    TAGS = "tags"
    FOLLOW_UPS = "follow_ups"
    QUERIES = "queries"
    COMPLETION = "text"
    IMAGE_PROMPT = "prompt"
    TOOLS = "tool_calls"
    EMOJI = "emoji"


_HEADER = {  # what Open WebUI puts into a header `X-OWUI-Task: {{TASK}}`
    "title_generation": Task.TITLE,
    "tags_generation": Task.TAGS,
    "follow_up_generation": Task.FOLLOW_UPS,
    "query_generation": Task.QUERIES,
    "autocomplete_generation": Task.COMPLETION,
    "image_prompt_generation": Task.IMAGE_PROMPT,
    "function_calling": Task.TOOLS,
    "emoji_generation": Task.EMOJI,
}
_TASK = "### Task:"
_TOOLS = "Available Tools:"
_EMOJI = "Your task is to reflect the speaker's likely facial expression"
_KEY = re.compile(r'"(title|tags|follow_ups|queries|text|prompt)"\s*:')
_HISTORY = re.compile(r"<chat_history>(.*)</chat_history>", re.DOTALL)
_USER_SAID = re.compile(r"^USER:[ \t]*(\S.*)$", re.MULTILINE)


def background_task(conversation: Conversation, header: str | None) -> Task | None:
    """The task that a front end asks for; None for a person's question.

    Told by the header, or by the prompt: it begins like Open WebUI's own ones, and names the key of the JSON before
    it quotes the conversation.
    """
    if header and (told := _HEADER.get(header.strip().lower())):
        return told
    if any(message.text.lstrip().startswith(_TOOLS) for message in conversation.messages):
        return Task.TOOLS
    prompt = conversation.question
    if prompt.startswith(_EMOJI):
        return Task.EMOJI
    if not prompt.startswith(_TASK):
        return None
    key = _KEY.search(prompt.partition("<chat_history>")[0])
    return Task(key[1]) if key else None


def task_answer(task: Task, prompt: str) -> str:
    """The JSON that a task wants (an emoji is not JSON), made of the conversation that its prompt quotes."""
    if task is Task.EMOJI:
        return "📈"
    history = _HISTORY.search(prompt)
    said = _USER_SAID.findall(history[1]) if history else []
    answers: dict[Task, object] = {
        Task.TITLE: title(said[0]) if said else "Bitcoin",
        Task.TAGS: ["bitcoin", "trading"],
        Task.FOLLOW_UPS: follow_ups(said[-1]) if said else [],
        Task.COMPLETION: "",
        Task.IMAGE_PROMPT: "",
    }
    return json.dumps({str(task): answers.get(task, [])}, ensure_ascii=False)


def title(question: str) -> str:
    """A question as the title of its conversation."""
    text = " ".join(question.split())
    if len(text) > MAX_TITLE_LENGTH:
        text = text[: MAX_TITLE_LENGTH - 1].rstrip() + "…"
    return text[:1].upper() + text[1:]


def follow_ups(question: str) -> list[str]:
    """Three questions that may follow, in the language of `question`."""
    asked = recognise(question[:MAX_QUESTION_LENGTH])
    say = Voice(asked.language)
    order = (Intent.SIGNAL, Intent.WHY, Intent.PERFORMANCE, Intent.PRICE)
    return [say(*EXAMPLES[intent]) for intent in order if intent is not asked.intent][:3]


def pieces(text: str) -> Sequence[str]:
    """An answer in the pieces in which it is streamed: its lines."""
    return text.splitlines(keepends=True)
