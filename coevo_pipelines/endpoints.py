"""One question to an OpenAI-compatible endpoint: POST `<base_url>/chat/completions`, once, at temperature 0.

Nothing is repeated, redirects are not followed, and no failure becomes an answer.
"""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ReadTimeoutError

from coevo_pipelines.version import user_agent

MOST_BODY = 4 << 20
"""Bytes of a response."""
MOST_TOLD = 300
"""Characters of somebody else's error message."""
_PATH = "/chat/completions"


class EndpointError(RuntimeError):
    """There is no answer. The message says who was asked, why, and the way out; no key stands in it."""


@dataclass(frozen=True)
class Completion:
    """What was said, with all its thinking, and what the server says of it."""

    text: str
    address: str
    """That was asked, without its query, which may be secret."""
    reported: str | None
    ended: str | None
    tokens: int | None
    """Of question and answer, as the server counts."""


def complete(
    base_url: str, asked: dict[str, Any], *, key: str | None = None, timeout_s: tuple[float, float]
) -> Completion:
    """The answer to `asked` (see `question`). `timeout_s`: to connect, and for the whole answer after that.

    `key` is sent as a bearer token, only over https or to this machine. Raises EndpointError for anything but one
    answer that ends within `timeout_s` and MOST_BODY.
    """
    target = target_of(base_url, with_key=bool(key))
    headers = {"Accept": "application/json", "User-Agent": user_agent()}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    address = address_of(target)
    try:
        return _completion(_posted(urlunsplit(target), asked, headers, timeout_s), address)
    except EndpointError as error:
        # Not chained: requests' text spells out the query, and a server may repeat the key.
        raise EndpointError(f"{address}{_PATH}: {_without(str(error), key, target.query)}") from None


def question(model: str, messages: list[dict[str, str]], max_tokens: int) -> dict[str, Any]:
    """The body of a request."""
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": max_tokens, "stream": False}


def target_of(base_url: str, *, with_key: bool) -> SplitResult:
    """What is posted to. Raises EndpointError for what is no address, or none that a key may go to."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        raise EndpointError(f"{base_url!r} is no address: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not base_url.isprintable():
        raise EndpointError(f"{base_url!r} is no address: write it as https://host/v1 or http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise EndpointError(
            f"{parts.hostname}: no user and password in the address: put the key into a variable and name that"
        )
    if with_key and parts.scheme == "http" and not _loopback(parts.hostname):
        raise EndpointError(f"{parts.hostname}: a key goes over https only, or to this machine")
    return parts._replace(path=parts.path.rstrip("/") + _PATH, fragment="")


def address_of(target: SplitResult) -> str:
    """As it is kept: without its query."""
    return urlunsplit(target._replace(query="")).removesuffix(_PATH)


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
        raise EndpointError(f"no connection within {timeout_s[0]:.0f} s: is it running?") from None
    except requests.Timeout:
        raise EndpointError(
            f"no answer within {timeout_s[1]:.0f} s: ask for less (fewer tokens), or wait longer"
        ) from None
    except requests.ConnectionError as error:
        raise EndpointError(f"{_innermost(error)}: is it running, and is this its address?") from None
    except (requests.RequestException, UnicodeError, OSError) as error:
        raise EndpointError(_innermost(error)) from None
    if response.status_code != 200:
        raise EndpointError(f"HTTP {response.status_code}{_reason(body)}: {_advice(response)}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "no type given")
        raise EndpointError(
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
                raise EndpointError(f"HTTP {response.status_code}: the response is longer than {MOST_BODY >> 20} MB")
            if time.monotonic() > deadline:
                raise requests.ReadTimeout
    except ReadTimeoutError:
        raise requests.ReadTimeout from None
    except (TransportError, ConnectionError) as error:
        raise EndpointError(f"the response broke off, or is damaged ({type(error).__name__}): ask again") from None
    return bytes(body)


def _completion(value: Any, address: str) -> Completion:
    """What a chat completion says."""
    if not isinstance(value, dict):
        raise EndpointError("the response is no chat completion")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices:
        raise EndpointError(f"the response holds no choices{_reason(json.dumps(value).encode())}")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise EndpointError("the response's first choice has no message: is this a chat completions API?")
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):  # parts, as some servers send them
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if not content and isinstance(refusal, str):
        content = refusal
    if not isinstance(content, str):
        raise EndpointError("the response's message has no text: allow more tokens if all of it went to thinking")
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise EndpointError(f"the answer is no text: {error.reason} at character {error.start}") from None
    usage = value.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return Completion(
        text=content,
        address=address,
        reported=_line(value.get("model")),
        ended=_line(choice.get("finish_reason")),
        tokens=tokens if type(tokens) is int and 0 <= tokens < 1 << 53 else None,
    )


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
    return f" ({' '.join(value.split())[:MOST_TOLD]})" if isinstance(value, str) and value.strip() else ""


def _advice(response: requests.Response) -> str:
    status = response.status_code
    if status in {401, 403}:
        return "it wants a key, or another: put it into a variable and name that (key variable)"
    if status == 404:
        return (
            "no such address or model: the address often ends in /v1, and the model has the name that it is served as"
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
    return f"{type(error).__name__} {str(error).rpartition(': ')[2]}"[:MOST_TOLD].strip()


def _without(text: str, *secrets: str | None) -> str:
    """Without secrets, and without what a terminal obeys."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return "".join(filter(str.isprintable, text))
