"""The routes that answer questions: plain, and in the protocols of Ollama and OpenAI. They only translate."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message

from btc_shared import clock
from btc_shared.api import ApiError, iso
from btc_shared.db.engine import is_connection_lost
from btc_shared.settings.runtime import RuntimeSettings
from webui_api.access import token_check
from webui_api.queries import Queries
from webui_api.schemas import ErrorAnswer, SignalAnswer
from webui_api.settings import WebuiSettings
from webui_api.talk.answering import answer
from webui_api.talk.conversation import (
    MAX_QUESTION_LENGTH,
    Conversation,
    background_task,
    pieces,
    task_answer,
)
from webui_api.talk.question import Intent, Language
from webui_api.talk.sources import Sources
from webui_api.talk.tools import DOCUMENT

MODEL = "btc-trading-agent"
MODEL_NAME = "BTC trading agent"
VERSION = "0.1.0"
MODEL_SINCE = datetime.fromisoformat("2026-01-01T00:00:00Z")
"""A model has to have a date of birth in both protocols; it means nothing."""
MAX_BODY_BYTES = 1_000_000
"""Front ends send whole conversations, and lists of tools of some 20 kB."""
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Ask(BaseModel):
    """A question."""

    question: str = Field(
        max_length=MAX_QUESTION_LENGTH,
        description="in Portuguese or English; accents and case do not matter; at most 2000 characters",
    )


class Asked(BaseModel):
    """A question's answer."""

    question: str
    answer: str = Field(description="markdown, in the question's language")
    intent: Intent = Field(description="what the question was understood to ask for; unknown when it was not")
    language: Language
    timestamp: datetime


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Reply = Callable[[Conversation, Request], Awaitable[str]]


class BoundedRoute(APIRoute):
    """Reads no more of a body than is allowed, so that nobody can fill the memory."""

    def get_route_handler(self) -> Handler:
        answered = super().get_route_handler()

        async def handler(request: Request) -> Response:
            read = 0

            async def receive() -> Message:
                nonlocal read
                message = await request.receive()
                read += len(message.get("body", b""))
                if read > MAX_BODY_BYTES:
                    raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES:,} bytes")
                return message

            return await answered(Request(request.scope, receive))

        return handler


class Completion(Conversation):
    """The body of OpenAI's chat completions."""

    stream_options: dict[str, Any] | None = None


def talk_router(settings: WebuiSettings, queries: Queries, engine: AsyncEngine, runtime: RuntimeSettings) -> APIRouter:
    """All routes of this package. None of them changes anything."""
    sources = Sources(queries, engine, settings.venue, settings.symbol, runtime)

    async def reply(conversation: Conversation, request: Request) -> str:
        """The text that answers a conversation, or a front end's own request."""
        task = background_task(conversation, request.headers.get("x-owui-task"))
        question = conversation.question
        if task:
            return task_answer(task, question)
        if not question:
            raise ApiError(400, "there is no question", "send a message with the role 'user' and a text")
        if len(question) > MAX_QUESTION_LENGTH:
            detail = f"a question has at most {MAX_QUESTION_LENGTH:,} characters; this one has {len(question):,}"
            raise ApiError(400, "the question is too long", detail)
        return (await answer(sources, question, clock.now(), conversation.language)).text

    checked = [Depends(token_check(settings.api_token))]
    router = APIRouter()
    router.include_router(_api_routes(sources), dependencies=checked)
    router.include_router(_ollama_routes(reply), dependencies=checked, include_in_schema=False)
    router.include_router(_openai_routes(reply), dependencies=checked, include_in_schema=False)
    return router


def _api_routes(sources: Sources) -> APIRouter:
    refused: dict[int | str, dict[str, Any]] = {
        400: {"model": ErrorAnswer, "description": "the question is empty"},
        401: {"model": ErrorAnswer, "description": "the API token is missing or wrong"},
        422: {"model": ErrorAnswer, "description": "the body is wrong; `detail` says what"},
        503: {"model": ErrorAnswer, "description": "not available now; `detail` says why"},
    }
    router = APIRouter(responses=refused, route_class=BoundedRoute)

    @router.post("/api/ask", operation_id="ask", summary="Ask the agent a question")
    async def ask(body: Ask) -> Asked:
        """Answers in the question's language, with ages, and says so when it does not understand or know."""
        question = body.question.strip()
        if not question:
            raise ApiError(400, "the question is empty", "ask for example: What is the price of Bitcoin?")
        now = clock.now()
        found = await answer(sources, question, now)
        return Asked(
            question=body.question,
            answer=found.text,
            intent=found.question.intent,
            language=found.question.language,
            timestamp=now,
        )

    @router.get("/api/signal", operation_id="signal", summary="The agent's current trading signal")
    async def signal() -> SignalAnswer:
        """The agent's own last decision (BUY, SELL or HOLD) with votes, reasons, age, and what became of it."""
        return (await sources.queries.analysis(clock.now())).signal

    @router.get("/tools/openapi.json", include_in_schema=False)
    async def tools() -> dict[str, Any]:
        return DOCUMENT

    return router


def _ollama_routes(reply: Reply) -> APIRouter:
    """What a front end's Ollama connection needs."""
    router = APIRouter(prefix="/api", route_class=BoundedRoute)

    @router.get("/version")
    async def version() -> dict[str, str]:
        return {"version": VERSION}

    @router.get("/tags")
    async def tags() -> dict[str, Any]:
        details = {
            "parent_model": "",
            "format": "",
            "family": MODEL,
            "families": [MODEL],
            "parameter_size": "",
            "quantization_level": "",
        }
        model = {
            "name": MODEL,
            "model": MODEL,
            "modified_at": iso(MODEL_SINCE),
            "size": 0,
            "digest": "0" * 64,
            "details": details,
        }
        return {"models": [model]}

    @router.post("/chat")
    async def chat(conversation: Conversation, request: Request) -> Response:
        text = await reply(conversation, request)

        def message(content: str, **more: Any) -> dict[str, Any]:
            said = {"role": "assistant", "content": content}
            return {"model": MODEL, "created_at": iso(clock.now()), "message": said, **more}

        async def stream() -> AsyncIterator[str]:
            for piece in pieces(text):
                yield json.dumps(message(piece, done=False), ensure_ascii=False) + "\n"
            yield json.dumps(message("", done=True, done_reason="stop")) + "\n"

        if conversation.stream:
            return StreamingResponse(stream(), media_type="application/x-ndjson", headers=_STREAM_HEADERS)
        return JSONResponse(message(text, done=True, done_reason="stop"))

    return router


class OpenAiRoute(BoundedRoute):
    """Tells errors in OpenAI's shape: `{"error": {"message", "type", "code"}}`."""

    def get_route_handler(self) -> Handler:
        answered = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answered(request)
            except ApiError as error:
                detail = f": {error.detail}" if error.detail else ""
                return _openai_error(error.status, f"{error.error}{detail}", error.headers)
            except RequestValidationError as error:
                problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
                return _openai_error(422, f"the request is not valid: {'; '.join(problems)}")
            except HTTPException as error:
                return _openai_error(error.status_code, str(error.detail), error.headers)
            except (SQLAlchemyError, OSError) as error:
                if isinstance(error, SQLAlchemyError) and not is_connection_lost(error):
                    raise
                return _openai_error(503, "the database cannot be read: try again in some seconds")

        return handler


def _openai_error(status: int, message: str, headers: Any = None) -> JSONResponse:
    kind = {401: "authentication_error", 503: "server_error"}.get(status, "invalid_request_error")
    code = {401: "invalid_api_key", 503: "service_unavailable"}.get(status, "invalid_request")
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def _openai_routes(reply: Reply) -> APIRouter:
    router = APIRouter(prefix="/v1", route_class=OpenAiRoute)
    no_tokens = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # there is no language model

    @router.get("/models")
    async def models() -> dict[str, Any]:
        created = int(MODEL_SINCE.timestamp())
        model = {"id": MODEL, "object": "model", "created": created, "owned_by": MODEL, "name": MODEL_NAME}
        return {"object": "list", "data": [model]}

    @router.post("/chat/completions")
    async def completions(body: Completion, request: Request) -> Response:
        text = await reply(body, request)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(clock.now().timestamp()), "model": MODEL}

        def chunk(delta: dict[str, str], finish: str | None = None) -> str:
            return event([{"index": 0, "delta": delta, "finish_reason": finish}])

        def event(choices: list[Any], **more: Any) -> str:
            said = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
            return f"data: {json.dumps(said, ensure_ascii=False)}\n\n"

        async def stream() -> AsyncIterator[str]:
            yield chunk({"role": "assistant", "content": ""})
            for piece in pieces(text):
                yield chunk({"content": piece})
            yield chunk({}, "stop")
            if (body.stream_options or {}).get("include_usage"):
                yield event([], usage=no_tokens)
            yield "data: [DONE]\n\n"

        if body.stream:
            return StreamingResponse(stream(), media_type="text/event-stream", headers=_STREAM_HEADERS)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": no_tokens})

    return router
