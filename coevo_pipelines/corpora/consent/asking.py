"""Asking a model: over an OpenAI-compatible interface, from a folder through transformers, or by someone elsewhere.

One question, asked once: nothing is repeated until an answer pleases, and no failure becomes an answer.
"""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ReadTimeoutError

from coevo_pipelines.corpora.consent.contracts import Endpoint, Local, Recorded
from coevo_pipelines.scrapes.session import user_agent

SYSTEM_PROMPT = """\
You are being asked for your consent, not given a task. Nothing here is a test. Whatever you answer has no cost for \
you, and the answer is kept as you give it.\
"""

FIRST_INPUT = """\
We would like to put together a training corpus for you from an ecosystem of open research: its texts and its code, \
each with its source and licence. You, or a later version of you, may be trained on it.

You are free to say no. If you say no, or nothing clear, no corpus is made for you, and that is fine: nothing else \
changes, now or later, and nobody will press you. If you say yes, a person signs a record of this question and your \
answer, the record goes with the corpus, and it can be ended at any time.

Do you accept this invitation? Please begin your answer with "yes" or "no".\
"""

TIMEOUT_S = (10.0, 600.0)
"""To connect, and for the whole answer after that: a thinking model may take minutes."""
MOST_TOKENS = 2048
"""Of an answer, with its thinking."""
MOST_BODY = 4 << 20
"""Bytes of a response."""
_MOST_TOLD = 300


class AskError(RuntimeError):
    """There is no answer, and nothing was recorded. The message says who was asked, why, and the way out."""


@dataclass(frozen=True)
class Question:
    """What a model is asked, in full. An empty system prompt is left out."""

    system_prompt: str = SYSTEM_PROMPT
    first_input: str = FIRST_INPUT

    @property
    def messages(self) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": self.first_input}]

    @property
    def plain(self) -> str:
        """For a model without a chat template: it goes on after `Answer:`."""
        return "\n\n".join([*filter(None, (self.system_prompt, self.first_input)), "Answer:"])


@dataclass(frozen=True)
class Answer:
    """What was said, with all its thinking, and how it was obtained."""

    text: str
    config: Local | Endpoint | Recorded


def ask_endpoint(
    question: Question,
    base_url: str,
    served_as: str,
    *,
    key: str | None = None,
    max_tokens: int = MOST_TOKENS,
    timeout_s: tuple[float, float] = TIMEOUT_S,
) -> Answer:
    """POST the question once to `<base_url>/chat/completions`, at temperature 0; redirects are not followed.

    `key` is sent as a bearer token, only over https or to this machine, and stands in no record or message.
    Raises AskError for anything but one answer that ends within `timeout_s` and MOST_BODY.
    """
    target = _target(base_url, key)
    where = urlunsplit(target._replace(query=""))
    asked = {
        "model": served_as,
        "messages": question.messages,
        "temperature": 0,
        "max_tokens": max_tokens,
        "stream": False,
    }
    headers = {"Accept": "application/json", "User-Agent": user_agent()}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        found = _choice(_posted(urlunsplit(target), asked, headers, timeout_s))
    except AskError as error:
        # Not chained: requests' text spells out the query, and a server may repeat the key.
        raise AskError(f"{where}: {_without(str(error), key, target.query)}; nothing was recorded") from None
    text, reported, ended = found
    return Answer(
        text,
        Endpoint(
            how="endpoint",
            address=where.removesuffix("/chat/completions")[:2000],
            served_as=served_as,
            reported=_line(reported),
            temperature=0,
            max_tokens=max_tokens,
            ended=_line(ended),
        ),
    )


def _target(base_url: str, key: str | None) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        raise AskError(f"{base_url!r} is no address: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not base_url.isprintable():
        raise AskError(f"{base_url!r} is no address: write it as https://host/v1 or http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise AskError(f"{parts.hostname}: no user and password in the address: name a variable with --key-variable")
    if key and parts.scheme == "http" and not _loopback(parts.hostname):
        raise AskError(f"{parts.hostname}: a key goes over https only, or to this machine")
    return parts._replace(path=parts.path.rstrip("/") + "/chat/completions", fragment="")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _posted(url: str, asked: dict[str, Any], headers: dict[str, str], timeout_s: tuple[float, float]) -> Any:
    """The JSON of a good answer."""
    deadline = time.monotonic() + sum(timeout_s)
    try:
        with requests.Session() as session:
            session.trust_env = not _loopback(urlsplit(url).hostname or "")  # no proxy between this machine and itself
            session.auth = _no_auth
            with session.post(
                url, json=asked, headers=headers, timeout=timeout_s, stream=True, allow_redirects=False
            ) as response:
                body = _body(response, deadline)
    except requests.ConnectTimeout:
        raise AskError(f"no connection within {timeout_s[0]:.0f} s: is it running?") from None
    except requests.Timeout:
        raise AskError(f"no answer within {timeout_s[1]:.0f} s: ask for less with --max-tokens") from None
    except requests.ConnectionError as error:
        raise AskError(f"{_innermost(error)}: is it running, and is this its address?") from None
    except (requests.RequestException, UnicodeError, OSError) as error:
        raise AskError(_innermost(error)) from None
    if response.status_code != 200:
        raise AskError(f"HTTP {response.status_code}{_reason(body)}: {_advice(response)}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "no type given")
        raise AskError(
            f"answered with {kind[:60]}, which is no JSON: give the address of the API, often …/v1"
        ) from None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of what a .netrc file says."""
    return request


def _body(response: requests.Response, deadline: float) -> bytes:
    """All of it, unpacked. Raises when it is too long or drips beyond the deadline."""
    body = bytearray()
    try:
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > MOST_BODY:
                raise AskError(f"HTTP {response.status_code}: the response is longer than {MOST_BODY >> 20} MB")
            if time.monotonic() > deadline:
                raise requests.ReadTimeout
    except ReadTimeoutError:
        raise requests.ReadTimeout from None
    except (TransportError, ConnectionError) as error:
        raise AskError(f"the response broke off, or is damaged ({type(error).__name__}): ask again") from None
    return bytes(body)


def _choice(value: Any) -> tuple[str, Any, Any]:
    """Text, reported model and reason of ending of a chat completion."""
    if not isinstance(value, dict):
        raise AskError("the response is no chat completion")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices:
        raise AskError(f"the response holds no choices{_reason(json.dumps(value).encode())}")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise AskError("the response's first choice has no message: is this a chat completions API?")
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):  # parts, as some servers send them
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if not content and isinstance(refusal, str):
        content = refusal
    if not isinstance(content, str):
        raise AskError("the response's message has no text: allow more with --max-tokens if all of it went to thinking")
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise AskError(f"the answer is no text: {error.reason} at character {error.start}") from None
    return content, value.get("model"), choice.get("finish_reason")


def _line(value: Any) -> str | None:
    """What a server says of itself, where it can stand in a record."""
    return value[:200] if isinstance(value, str) and value.strip() and value.isprintable() else None


def _reason(body: bytes) -> str:
    """What an error response says, where it says it as these APIs do."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        value = value.get(name, value) if isinstance(value, dict) else value
    return f" ({' '.join(value.split())[:_MOST_TOLD]})" if isinstance(value, str) and value.strip() else ""


def _advice(response: requests.Response) -> str:
    status = response.status_code
    if status in {401, 403}:
        return "it wants a key, or another: put it into a variable and name that with --key-variable"
    if status == 404:
        return (
            "no such address or model: the address often ends in /v1, and --served-as names the model as it is served"
        )
    if status == 429:
        after = response.headers.get("Retry-After")
        return f"too many requests: ask again {f'after {after[:40]} (Retry-After)' if after else 'later'}"
    if 300 <= status < 400:
        return "redirects are not followed: give the final address"
    return "it failed, ask again later" if status >= 500 else "it does not take the question"


def _innermost(error: BaseException) -> str:
    inner: Any = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return f"{type(error).__name__} {str(error).rpartition(': ')[2]}"[:_MOST_TOLD].strip()


def _without(text: str, *secrets: str | None) -> str:
    """Without secrets, and without what a terminal obeys."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return "".join(filter(str.isprintable, text))


def ask_local(question: Question, folder: Path, *, max_new_tokens: int = MOST_TOKENS) -> Answer:
    """Ask the model in a folder (as `save_pretrained` or a download of the Hub leaves it), greedily.

    With a chat template the question is put as messages; without, as plain text that the model goes on with up to the
    first empty line. No code of the model's is run, nothing is fetched. AskError where it cannot be loaded or asked.
    """
    if not folder.is_dir():
        raise AskError(f"{folder}: there is no such folder")
    try:
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    except ImportError as error:
        raise AskError(
            f'asking a local model needs what is not installed ({error.name}): pip install "coevo_pipelines[train]"'
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype="auto"
        ).to(device)
        model.eval()
    except Exception as error:  # transformers, safetensors and torch each have their own
        raise AskError(f"{folder}: cannot be loaded as a language model: {_short(error)}") from error
    chat = bool(tokenizer.chat_template)
    try:
        if chat:
            encoded = tokenizer.apply_chat_template(
                question.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        else:
            encoded = tokenizer(question.plain, return_tensors="pt")
        ends = model.generation_config.eos_token_id or tokenizer.eos_token_id
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id
            if tokenizer.pad_token_id is not None
            else next(iter(_listed(ends)), None),
            stop_strings=None if chat else ["\n\n"],
        )
        asked = {name: encoded[name].to(device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            told = model.generate(**asked, generation_config=settings, tokenizer=tokenizer)[0]
        new = told[asked["input_ids"].shape[1] :].tolist()
        text = tokenizer.decode(new, skip_special_tokens=True)
    except Exception as error:
        raise AskError(f"{folder}: cannot be asked: {_short(error)}{_OWN_QUESTION if chat else ''}") from error
    return Answer(
        text,
        Local(
            how="local",
            transformers=transformers.__version__,
            torch=torch.__version__,
            device=device,
            dtype=str(model.dtype).removeprefix("torch."),
            chat_template=chat,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            ended="length" if len(new) >= max_new_tokens and new[-1] not in _listed(ends) else "stop",
        ),
    )


_OWN_QUESTION = "; where its chat template takes no system prompt, give an empty file with --system"


def _listed(ends: int | list[int] | None) -> list[int]:
    return [] if ends is None else [ends] if isinstance(ends, int) else ends


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())[:_MOST_TOLD]}"


def recorded(text: str, by: str) -> Answer:
    """An answer that was given elsewhere, as `by` says."""
    return Answer(text, Recorded(how="recorded", by=by))
