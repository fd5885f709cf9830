"""Questions in the protocols of chat front ends: shapes, streams, tokens, limits, errors, and the list of tools."""

import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from webui_api.talk.routes import MAX_BODY_BYTES, MODEL

API_TOKEN = "an-api-token-of-the-tests"
QUESTION = {"messages": [{"role": "user", "content": "Qual o preço do Bitcoin?"}]}
TITLE = '### Task:\nTitle.\nJSON format: { "title": "…" }\n<chat_history>\nUSER: qual o preço?\n</chat_history>'
CHATS = ("/api/chat", "/v1/chat/completions")


def said(answer: httpx.Response) -> str:
    """The text of a whole answer in either protocol."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    message = body["message"] if "message" in body else body["choices"][0]["message"]
    assert message["role"] == "assistant"
    return str(message["content"])


def error(answer: httpx.Response) -> str:
    """What an error says, in the shape of its protocol."""
    body = answer.json()
    if answer.request.url.path.startswith("/v1/"):
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return str(body["error"]["message"])
    assert set(body) == {"error", "detail"}
    return f"{body['error']} {body['detail']}"


async def test_ask_answers_with_what_it_understood(seed: Any, webui: Any) -> None:
    seed.running()
    body = (await (await webui()).post("/api/ask", json={"question": " Qual o preço do Bitcoin? "})).json()
    assert set(body) == {"question", "answer", "intent", "language", "timestamp"}
    assert body["question"] == " Qual o preço do Bitcoin? "
    assert (body["intent"], body["language"]) == ("price", "pt")
    assert body["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"question": ""}, 400, "empty"),
        ({"question": " \n "}, 400, "empty"),
        ({"question": "x" * 2001}, 422, "question"),
        ({}, 422, "question"),
        ({"question": 5}, 422, "question"),
        ([], 422, "body"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(webui: Any, body: Any, status: int, named: str) -> None:
    answer = await (await webui()).post("/api/ask", json=body)
    assert answer.status_code == status
    assert named in error(answer)


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"messages": []}, 400, "no question"),
        ({"messages": [{"role": "assistant", "content": "hello"}]}, 400, "no question"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, "no question"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "no question"),
        ({"messages": [{"role": "user", "content": "x" * 2001}]}, 400, "2,001"),
        ({"messages": "hello"}, 422, "messages"),
        ({"messages": [{"role": "user", "content": "x"}] * 1001}, 422, "messages"),
        ({}, 422, "messages"),
    ],
)
async def test_a_wrong_conversation_is_told_what_is_wrong(
    webui: Any, path: str, body: Any, status: int, named: str
) -> None:
    answer = await (await webui()).post(path, json=body)
    assert answer.status_code == status
    assert named in error(answer)


@pytest.mark.parametrize("path", ["/api/ask", *CHATS])
async def test_a_body_that_is_too_large_or_no_json_is_refused(webui: Any, path: str) -> None:
    client = await webui()
    json_type = {"Content-Type": "application/json"}

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 50_000 + 1):
            yield b" " * 50_000

    for content in (b" " * (MAX_BODY_BYTES + 1), endless()):
        answer = await client.post(path, content=content, headers=json_type)
        assert answer.status_code == 413
        assert "larger than 1,000,000 bytes" in error(answer)
    broken = await client.post(path, content=b"{nope", headers=json_type)
    assert broken.status_code == 422
    assert "JSON" in error(broken)


async def test_ollamas_whole_answer(seed: Any, webui: Any) -> None:
    seed.running()
    client = await webui()
    for body in (QUESTION, {**QUESTION, "stream": False, "model": "any", "options": {}, "tools": [{}]}):
        answer = (await client.post("/api/chat", json=body)).json()
        assert (answer["model"], answer["done"]) == (MODEL, True)
        assert answer["created_at"].endswith("Z")
        assert "US$ 50.000,50" in answer["message"]["content"]
    tags = (await client.get("/api/tags")).json()["models"]
    assert [(tag["name"], tag["model"]) for tag in tags] == [(MODEL, MODEL)]
    assert (await client.get("/api/version")).json()["version"][0].isdecimal()


async def test_openais_whole_answer(seed: Any, webui: Any) -> None:
    seed.running()
    client = await webui()
    answer = (await client.post("/v1/chat/completions", json={**QUESTION, "model": MODEL, "max_tokens": 5})).json()
    assert (answer["object"], answer["model"]) == ("chat.completion", MODEL)
    (choice,) = answer["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert "US$ 50.000,50" in choice["message"]["content"]
    models = (await client.get("/v1/models")).json()
    assert (models["object"], [model["id"] for model in models["data"]]) == ("list", [MODEL])
    assert models["data"][0]["object"] == "model"


@pytest.fixture
def server(seed: Any, postgres_url: str, service_process: Callable[..., Any]) -> Iterator[httpx.Client]:
    """A client of a real server over a real socket."""
    seed.running()
    process = service_process("webui_api", {"DATABASE_URL": postgres_url, "VENUE": "practice"})
    process.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}") as client:
        yield client


def test_streams_are_read_line_by_line_by_a_real_client(server: httpx.Client) -> None:
    with server.stream("POST", "/api/chat", json={**QUESTION, "stream": True}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        ollama = [json.loads(line) for line in answer.iter_lines()]
    assert [line["done"] for line in ollama] == [False] * (len(ollama) - 1) + [True]
    assert len(ollama) > 3
    assert ollama[-1]["done_reason"] == "stop"
    assert {line["message"]["role"] for line in ollama} == {"assistant"}
    body = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    with server.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        lines = list(answer.iter_lines())
    assert all(line == "" or line.startswith("data: ") for line in lines)
    events = [line.removeprefix("data: ") for line in lines if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    usage, chunks = chunks[-1], chunks[:-1]
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 0)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert (chunks[-1]["choices"][0]["delta"], chunks[-1]["choices"][0]["finish_reason"]) == ({}, "stop")
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    ollama_text = "".join(line["message"]["content"] for line in ollama)
    for streamed in (text, ollama_text):
        assert streamed.startswith("**BTC-USDT: US$ 50.000,50**\n\n- Melhor compra")
        assert streamed.endswith("*Bolsa de treino: os preços são inventados.*")


@pytest.mark.parametrize("path", CHATS)
async def test_requests_of_a_front_end_get_their_json_and_no_price(seed: Any, webui: Any, path: str) -> None:
    seed.running()
    client = await webui()
    title = await client.post(path, json={"messages": [{"role": "user", "content": TITLE}]})
    assert json.loads(said(title)) == {"title": "Qual o preço?"}
    long_history = TITLE.replace("USER:", f"USER: {'x' * 5_000}\nUSER:")
    assert json.loads(said(await client.post(path, json={"messages": [{"role": "user", "content": long_history}]})))
    header = {"X-OWUI-Task": "tags_generation"}
    tags = await client.post(path, json=QUESTION, headers=header)
    assert json.loads(said(tags)) == {"tags": ["bitcoin", "trading"]}
    tools = {"messages": [{"role": "system", "content": "Available Tools: []"}, *QUESTION["messages"]]}
    assert json.loads(said(await client.post(path, json=tools))) == {"tool_calls": []}
    assert "US$" in said(await client.post(path, json=QUESTION, headers={"X-OWUI-Task": ""}))


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic an-api-token-of-the-tests"])
async def test_every_route_needs_the_token_where_one_is_set(webui: Any, header: str | None) -> None:
    client = await webui(API_TOKEN=API_TOKEN)
    headers = {"Authorization": header} if header else {}
    for path in ("/api/signal", "/api/tags", "/api/version", "/v1/models", "/tools/openapi.json"):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "token" in error(answer)
    for path in ("/api/ask", *CHATS):
        answer = await client.post(path, json=QUESTION | {"question": "preço"}, headers=headers)
        assert answer.status_code == 401
        assert "token" in error(answer)
    granted = {"Authorization": f"Bearer {API_TOKEN}"}
    for path in ("/api/tags", "/v1/models", "/tools/openapi.json"):
        assert (await client.get(path, headers=granted)).status_code == 200


async def test_while_the_database_is_away_every_protocol_says_so(webui: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = await webui(database_url=f"postgresql://agent:canary@127.0.0.1:{taken.getsockname()[1]}/agent")
        for path in ("/api/ask", *CHATS):
            answer = await client.post(path, json=QUESTION | {"question": "preço", "stream": True})
            assert answer.status_code == 503
            assert "the database cannot be read" in error(answer)
            assert "canary" not in answer.text


async def test_every_tool_is_a_route_of_this_api_with_the_parameters_it_tells(seed: Any, webui: Any) -> None:
    seed.running()
    seed.account()
    client = await webui()
    document = (await client.get("/tools/openapi.json")).json()
    api = (await client.get("/openapi.json")).json()
    tools = {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    names = ("price", "analysis", "signal", "status", "trades", "performance", "ask")
    assert set(tools) == {f"btc_{name}" for name in names}
    for method, path, operation in tools.values():
        real = api["paths"][path][method]
        known = {parameter["name"] for parameter in real.get("parameters", [])}
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in known
            assert parameter["description"]
            assert parameter["schema"]["type"] in ("string", "integer")  # front ends read nothing else
        assert operation["summary"]
        assert operation["description"]
        body = {"question": "preço"} if method == "post" else None
        assert (await client.request(method, path, json=body)).status_code == 200
    assert len(json.dumps(document)) < 8_000  # it is fetched with every chat request
    assert (await client.get("/api/trades?limit=5")).status_code == 200
    assert (await client.get("/api/performance?period=7d")).status_code == 200


async def test_the_signal_alone_is_the_analysis_signal(seed: Any, webui: Any) -> None:
    client = await webui()
    assert (await client.get("/api/signal")).status_code == 503
    seed.running()
    signal, analysis = (await client.get("/api/signal")).json(), (await client.get("/api/analysis")).json()["signal"]
    assert {**signal, "age_seconds": 0} == {**analysis, "age_seconds": 0}


async def test_nothing_is_changed_by_a_question(seed: Any, webui: Any) -> None:
    seed.running()
    client = await webui()
    before = (await client.get("/api/status")).json()["mode"]
    for question in ("switch to live mode", "compre 1 bitcoin agora", "venda tudo"):
        answer = (await client.post("/api/ask", json={"question": question})).json()
        assert answer["intent"] == "unknown"
        assert "não compro" in answer["answer"] or "do not buy" in answer["answer"]
    assert (await client.get("/api/status")).json()["mode"] == before
    assert (await client.get("/api/trades")).json() == []
