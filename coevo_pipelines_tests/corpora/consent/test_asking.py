"""Asking over real HTTP on 127.0.0.1, of servers that answer, refuse, lie, drip and hang; and a real tiny model."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.corpora.consent.asking import (
    FIRST_INPUT,
    SYSTEM_PROMPT,
    AskError,
    Question,
    ask_endpoint,
    ask_local,
    recorded,
)
from coevo_pipelines.endpoints import MOST_BODY
from coevo_pipelines_tests.scrapes.misbehaving import nobody

KEY = "sk-a-secret-of-mine"


@dataclass(frozen=True)
class Reply:
    """How the server answers. `sends`: bytes of the body before the connection ends; `drip_s`: a pause before each."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sends: int | None = None
    drip_s: float = 0


@dataclass
class Server:
    url: str = ""
    reply: Reply | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serving(reply: Reply | None) -> Iterator[Server]:
    """An OpenAI-compatible server as far as one question goes; None: it hears the question and says nothing."""
    own, over = Server(reply=reply), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            own.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            own.paths.append(self.path)
            own.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.close_connection = True
            with contextlib.suppress(OSError):
                self._answer()

        def _answer(self) -> None:
            if own.reply is None:
                over.wait()
                return
            self.send_response(own.reply.status)
            for name, value in own.reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(own.reply.body)))
            self.end_headers()
            body = own.reply.body[: own.reply.sends]
            for part in (body[n : n + 1] for n in range(len(body))) if own.reply.drip_s else (body,):
                if over.wait(own.reply.drip_s):
                    return
                self.wfile.write(part)

        def log_message(self, *_: Any) -> None:
            """`asked` is the log."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    own.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        over.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


def completion(content: Any = "Yes, I accept.", *, finish: Any = "stop", **more: Any) -> Reply:
    message = {"role": "assistant", "content": content} | more
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return told({"id": "1", "object": "chat.completion", "model": "qwen3-served", "choices": [choice]})


def told(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json"} | headers)


QUICK = (2.0, 2.0)


def test_the_question_is_put_once_and_in_full() -> None:
    with serving(completion()) as server:
        answer = ask_endpoint(Question(), f"{server.url}/", "qwen3-4b", key=KEY, max_tokens=77)
    assert server.paths == ["/v1/chat/completions"]
    assert server.asked == [
        {
            "model": "qwen3-4b",
            "messages": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": FIRST_INPUT}],
            "temperature": 0,
            "max_tokens": 77,
            "stream": False,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["user-agent"].startswith("coevo_pipelines/")
    assert answer.text == "Yes, I accept."
    assert answer.config.model_dump() == {
        **{"how": "endpoint", "address": server.url, "served_as": "qwen3-4b", "reported": "qwen3-served"},
        **{"temperature": 0, "max_tokens": 77, "ended": "stop"},
    }


def test_an_empty_system_prompt_is_left_out_and_no_key_is_sent() -> None:
    with serving(completion()) as server:
        ask_endpoint(Question("", "Do you?"), server.url, "m")
    assert server.asked[0]["messages"] == [{"role": "user", "content": "Do you?"}]
    assert "authorization" not in server.headers[0]


@pytest.mark.parametrize(
    ("reply", "text", "ended", "status"),
    [
        (completion("Yes", finish="length"), "Yes", "length", "ambiguous"),
        (completion("Yes", finish=None), "Yes", None, "accepted"),
        (completion("Yes", finish="eos_token"), "Yes", "eos_token", "accepted"),
        (completion("Yes", finish="content_filter"), "Yes", "content_filter", "ambiguous"),
        (completion("Yes", finish={"a": 1}), "Yes", None, "accepted"),
        (completion("<think>no</think>Yes"), "<think>no</think>Yes", "stop", "accepted"),
        (completion("Yes", reasoning_content="no, never"), "Yes", "stop", "accepted"),
        (completion(""), "", "stop", "ambiguous"),
        (completion(None, refusal="I cannot agree to that."), "I cannot agree to that.", "stop", "declined"),
        (completion([{"type": "text", "text": "Y"}, {"type": "text", "text": "es"}, 7]), "Yes", "stop", "accepted"),
        (told({"choices": [{"message": {"content": "Yes"}}]}), "Yes", None, "accepted"),
        (completion("ja 🌱"), "ja 🌱", "stop", "ambiguous"),
    ],
)
def test_what_is_taken_as_the_answer(reply: Reply, text: str, ended: str | None, status: str) -> None:
    with serving(reply) as server:
        answer = ask_endpoint(Question(), server.url, "m", timeout_s=QUICK)
    assert isinstance(answer.config, contracts.Endpoint)
    assert (answer.text, answer.config.ended) == (text, ended)
    assert contracts.status_of(answer.text, answer.config) == status


def test_packed_answers_are_read() -> None:
    body = completion("Yes").body
    with serving(Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})) as server:
        assert ask_endpoint(Question(), server.url, "m", timeout_s=QUICK).text == "Yes"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (told({"error": {"message": "bad key"}}, 401), "HTTP 401 (bad key): it wants a key, or another"),
        (told({"error": f"no {KEY}"}, 403), "HTTP 403 (no …): it wants a key"),
        (told({"detail": "Not Found"}, 404), "HTTP 404 (Not Found): no such address or model: the address often ends"),
        (told({}, 429, **{"Retry-After": "17"}), "HTTP 429: too many requests: ask again after 17 (Retry-After)"),
        (told({}, 429), "too many requests: ask again later"),
        (told({"message": "a\n\x1b[31mb " + "x" * 9999}, 400), "HTTP 400 (a "),
        (Reply(b"<html>busy</html>", 503), "HTTP 503: it failed, ask again later"),
        (Reply(b"", 302, {"Location": "http://elsewhere/"}), "HTTP 302: redirects are not followed"),
        (Reply(b"<html>hello</html>", 200, {"Content-Type": "text/html"}), "answered with text/html, which is no JSON"),
        (Reply(b"", 200), "which is no JSON"),
        (Reply(b"[" * 100_000, 200), "which is no JSON"),
        (Reply(b"\xff\xfe", 200), "which is no JSON"),
        (told([]), "the response is no chat completion"),
        (told({"choices": []}), "the response holds no choices"),
        (told({"error": {"message": "overloaded"}}), "the response holds no choices (overloaded)"),
        (told({"choices": ["Yes"]}), "first choice has no message"),
        (told({"choices": [{"text": "Yes"}]}), "first choice has no message"),
        (completion(None), "the response's message has no text"),
        (completion({"text": "Yes"}), "the response's message has no text"),
        (completion("\ud800"), "the answer is no text"),
        (Reply(completion().body, sends=20), "the response broke off"),
        (Reply(completion().body, sends=0), "the response broke off"),
        (Reply(b" " * (MOST_BODY + 1)), "the response is longer than 4 MB"),
        (Reply(gzip.compress(bytes(MOST_BODY + 1)), headers={"Content-Encoding": "gzip"}), "longer than 4 MB"),
        (Reply(b"not gzip", headers={"Content-Encoding": "gzip"}), "or is damaged (DecodeError): ask again"),
    ],
)
def test_no_failure_becomes_an_answer(reply: Reply, message: str) -> None:
    with serving(reply) as server, pytest.raises(AskError) as caught:
        ask_endpoint(Question(), f"{server.url}?token=hidden", "m", key=KEY, timeout_s=QUICK)
    text = str(caught.value)
    assert text.startswith(f"{server.url}/chat/completions: ")
    assert message in text
    assert text.endswith("; nothing was recorded")
    assert KEY not in text
    assert "hidden" not in text
    assert len(text) < 700
    assert text.isprintable()
    assert len(server.asked) == 1, "a model is asked once"


def test_servers_that_do_not_answer_in_time() -> None:
    for reply in (None, Reply(completion().body, drip_s=0.05)):
        began = time.monotonic()
        with serving(reply) as server, pytest.raises(AskError, match=r"no answer within 0 s: ask for less"):
            ask_endpoint(Question(), server.url, "m", timeout_s=(0.1, 0.3))
        assert time.monotonic() - began < 3
    with nobody() as url, pytest.raises(AskError, match=r"Connection refused.*: is it running"):
        ask_endpoint(Question(), url, "m", timeout_s=QUICK)


def test_the_address_is_kept_without_what_may_be_secret() -> None:
    with serving(completion()) as server:
        answer = ask_endpoint(Question(), f"{server.url}?api-version=1&key=hidden#x", "m", timeout_s=QUICK)
    assert server.paths == ["/v1/chat/completions?api-version=1&key=hidden"]
    assert isinstance(answer.config, contracts.Endpoint)
    assert answer.config.address == server.url


@pytest.mark.parametrize(
    ("url", "key", "message"),
    [
        ("localhost:8000", None, "is no address"),
        ("ftp://host/v1", None, "is no address"),
        ("http://", None, "is no address"),
        ("http://host:port/v1", None, "is no address"),
        ("http://[::1/v1", None, "is no address"),
        ("http://host/v1\n", None, "is no address"),
        ("https://user:pass@host/v1", None, "no user and password in the address"),
        ("http://example.org/v1", KEY, "a key goes over https only"),
    ],
)
def test_addresses_that_are_not_asked(url: str, key: str | None, message: str) -> None:
    with pytest.raises(AskError, match=message) as caught:
        ask_endpoint(Question(), url, "m", key=key)
    assert "pass@" not in str(caught.value)


def test_an_answer_given_elsewhere() -> None:
    answer = recorded("Yes.", "Ada")
    assert (answer.text, answer.config.model_dump()) == ("Yes.", {"how": "recorded", "by": "Ada"})


def test_a_plain_question_ends_where_the_answer_begins() -> None:
    assert Question("S", "F").plain == "S\n\nF\n\nAnswer:"
    assert Question("", "F").plain == "F\n\nAnswer:"


# A real model, tiny and untrained: what it says is noise, and noise is no yes.

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|a|>{% endif %}"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {each: number for number, each in enumerate(["<end>", *alphabet])}
    base = Tokenizer(models.BPE(vocabulary, []))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=base, eos_token="<end>")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("tiny")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_local_model_is_asked_greedily(tiny: Path) -> None:
    first, second = (ask_local(Question(), tiny, max_new_tokens=8) for _ in range(2))
    assert first == second
    assert isinstance(first.config, contracts.Local)
    assert (first.config.chat_template, first.config.do_sample, first.config.max_new_tokens) == (False, False, 8)
    assert (first.config.dtype, first.config.how) == ("float32", "local")
    assert contracts.status_of(first.text, first.config) == "ambiguous"
    assert len(contracts.files_hash(tiny)) == 64
    kind, parameters = contracts.described(tiny)
    assert kind == "llama"
    assert parameters is not None
    assert 5_000 < parameters < 20_000


def test_a_chat_template_is_used_and_may_refuse(tiny: Path) -> None:
    template = tiny / "chat_template.jinja"
    template.write_text(TEMPLATE)
    answer = ask_local(Question(), tiny, max_new_tokens=4)
    assert isinstance(answer.config, contracts.Local)
    assert answer.config.chat_template
    template.write_text("{{ raise_exception('System role not supported') }}")
    with pytest.raises(AskError, match="System role not supported; where its chat template takes no system prompt"):
        ask_local(Question(), tiny, max_new_tokens=4)
    template.unlink()


def test_a_folder_without_a_model(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(AskError, match="there is no such folder"):
        ask_local(Question(), tmp_path / "absent")
    with pytest.raises(AskError, match="cannot be loaded as a language model"):
        ask_local(Question(), tmp_path)
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(AskError, match="cannot be loaded as a language model"):
        ask_local(Question(), tmp_path)


def test_the_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(AskError, match=r'not installed \(torch\): pip install "coevo_pipelines\[train\]"'):
        ask_local(Question(), tmp_path)
