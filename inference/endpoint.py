"""Servers that speak OpenAI's chat API (vLLM, llama.cpp, Ollama, ...) as variants."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from tuneproof.errors import InputError
from tuneproof.files import parse_json
from tuneproof.formats.example import Message
from tuneproof.inference.config import Decoding

KEY = "TUNEPROOF_API_KEY"
"""The environment variable with the server's key; it is sent to the server and written nowhere."""
TRIES = 5
"""How often a request is tried again where the server is busy, broken or silent."""
PAUSE_S = 0.5
"""The pause after the first failure; it doubles."""
PAUSING = (429, 500, 502, 503, 504)
"""Answers after which another try may succeed."""
REASONS = {"stop": "eos", "length": "length"}
"""The API's finish reasons, by ours."""
FAULTS = ("error", "content_filter")
"""Finish reasons behind which there is no answer of the model's."""
SHORT_S = 10.0
"""Seconds to wait for a sign of life."""


class Refused(InputError):
    """A server that is there gives no answer to one request."""

    may_pass = False
    """Whether the reason is the server's, and not the request's."""


class Broken(Refused):
    """It does so after several tries, for a reason that may pass."""

    may_pass = True


@dataclass(frozen=True)
class Endpoint:
    """One model behind a server."""

    name: str
    """What the variant is called."""
    url: str
    """The API's address, such as ``http://localhost:8000/v1``."""
    asked_model: str | None = None
    """The model's name on the server; None takes the only one that it has."""
    timeout: float = 120.0
    """Seconds to wait for an answer."""
    concurrency: int = 4
    """Requests that are under way at once."""

    @classmethod
    def parsed(cls, text: str, **settings: Any) -> Endpoint:
        """Return the endpoint that ``NAME=URL`` or ``NAME=MODEL@URL`` names.

        Raises:
            InputError: It is neither, or the address holds a password.
        """
        match = re.fullmatch(r"([^=/]+)=(?:(.+)@)?(https?://\S+)", text)
        if match is None:
            raise InputError(
                f"--endpoint must be NAME=URL or NAME=MODEL@URL, such as "
                f"server=http://localhost:8000/v1, got {text!r}"
            )
        name, model, url = match.groups()
        if urlsplit(url).username is not None:
            raise InputError(f"--endpoint {name}: give the key as {KEY}, not in the address")
        return cls(name, url.rstrip("/"), model, **settings)

    @cached_property
    def model(self) -> str:
        """The model's name on the server.

        Raises:
            InputError: The server does not answer, or has several models.
        """
        if self.asked_model is not None:
            return self.asked_model
        listed = [str(row.get("id")) for row in self._sent("GET", "models").get("data", [])]
        if len(listed) != 1:
            example = listed[0] if listed else "MODEL"
            raise InputError(
                f"{self.url} has {len(listed)} models ({', '.join(listed[:5])}); "
                f"give one: --endpoint {self.name}={example}@{self.url}"
            )
        return listed[0]

    def described(self) -> dict[str, Any]:
        """Return the variant as the comparison file records it."""
        return {
            "name": self.name,
            "kind": "endpoint",
            "model": self.model,
            "adapter": None,
            "url": self.url,
        }

    def answer(
        self, questions: Sequence[Sequence[Message]], decoding: Decoding, seed: int
    ) -> list[Reply]:
        """Ask the server, several questions at once.

        Args:
            questions: Conversations that end with a question.
            decoding: How tokens are chosen.
            seed: For sampling.

        Raises:
            Refused: The server refuses, or is silent after several tries.
        """
        replies = self.attempts(questions, decoding, seed)
        for reply in replies:
            if reply.error is not None:
                raise Refused(reply.error)
        return replies

    def attempts(
        self, questions: Sequence[Sequence[Message]], decoding: Decoding, seed: int
    ) -> list[Reply]:
        """Do the same; a question that the server refuses is a reply with the reason.

        Raises:
            InputError: The server refuses the key, is not there, or broken: none of several
                questions is answered, for reasons that may pass.
        """
        settings: dict[str, Any] = {"temperature": 0.0}
        if decoding.do_sample:
            sampling = {"temperature": decoding.temperature, "top_p": decoding.top_p}
            settings = {**sampling, "seed": seed}
        bodies = [
            {
                "model": self.model,
                "messages": [message.as_row() for message in messages],
                "max_tokens": decoding.max_new_tokens,
                **settings,
            }
            for messages in questions
        ]
        with ThreadPoolExecutor(self.concurrency) as pool:
            replies = list(pool.map(self._reply, bodies))
        if len(replies) > 1 and all(reply.may_pass for reply in replies):
            raise InputError(f"{replies[0].error}. The same command goes on from here")
        return replies

    def prompt_ids(self, messages: Sequence[Message]) -> list[int] | None:
        """Return the tokens that the server makes of a conversation; None where it does not say.

        vLLM's /tokenize takes messages; llama.cpp has /apply-template, and /tokenize for texts.
        """
        root = self.url.removesuffix("/v1")
        said = [message.as_row() for message in messages]
        asked = {"model": self.model, "messages": said, "add_generation_prompt": True}
        ids = self._posted(f"{root}/tokenize", asked).get("tokens")
        if not ids:
            text = self._posted(f"{root}/apply-template", {"messages": said}).get("prompt")
            content = {"content": text, "add_special": True, "parse_special": True}
            ids = self._posted(f"{root}/tokenize", content).get("tokens") if text else None
        is_ids = isinstance(ids, list) and all(isinstance(one, int) for one in ids)
        return ids if ids and is_ids else None

    def _posted(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON object of an address that the server need not have; else an empty one."""
        import requests

        try:
            answer = requests.post(url, json=body, headers=self._headers, timeout=self.timeout)
            value = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def _headers(self) -> dict[str, str]:
        key = os.environ.get(KEY)
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _reply(self, body: dict[str, Any]) -> Reply:
        try:
            return self._read_reply(self._sent("POST", "chat/completions", body))
        except Refused as error:
            return Reply(
                text="", finish_reason=None, tokens=None, prompt_tokens=None, error=str(error),
                may_pass=error.may_pass,
            )  # fmt: skip

    def _read_reply(self, value: dict[str, Any]) -> Reply:
        try:
            choice = value["choices"][0]
            reason = choice.get("finish_reason")
            if reason in FAULTS or choice.get("error"):
                fault = Refused if reason == "content_filter" else Broken
                raise fault(f"{self.url} gives no answer: {choice.get('error') or reason}")
            usage = value.get("usage") or {}
            details = usage.get("completion_tokens_details") or {}
            return Reply(
                text=_text_of(choice["message"]["content"]),
                finish_reason=REASONS.get(reason),
                tokens=usage.get("completion_tokens"),
                prompt_tokens=usage.get("prompt_tokens"),
                thinking_tokens=details.get("reasoning_tokens") or None,
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise Refused(
                f"{self.url} answers otherwise than OpenAI's chat API: {str(value)[:200]}"
            ) from error

    def _sent(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the server's JSON; what may pass is tried again."""
        import requests

        headers = self._headers
        for number in range(TRIES):
            is_last = number == TRIES - 1
            try:
                answer = requests.request(
                    method, f"{self.url}/{path}", json=body, headers=headers, timeout=self.timeout
                )
            except requests.RequestException as error:
                if is_last and self._is_there():
                    fault = f"no answer after {TRIES} tries ({type(error).__name__})"
                    raise Broken(f"{self.url} gives {fault}") from error
                if is_last:
                    raise InputError(
                        f"{self.url} does not answer ({type(error).__name__}); is the server "
                        "running? The same command goes on from here"
                    ) from error
                time.sleep(PAUSE_S * 2**number)
                continue
            if answer.status_code in PAUSING and not is_last:
                time.sleep(_pause(answer.headers.get("Retry-After"), PAUSE_S * 2**number))
                continue
            return self._read(answer)
        raise AssertionError("unreachable: the last try returns or raises")

    def _read(self, answer: Any) -> dict[str, Any]:
        if answer.status_code in (401, 403):
            raise InputError(f"{self.url} refuses the key; set {KEY} in the environment")
        try:
            value = parse_json(answer.content)
        except (ValueError, InputError):
            value = None
        if answer.status_code >= 400 or not isinstance(value, dict):
            kind = Broken if answer.status_code in PAUSING else Refused
            raise kind(f"{self.url} answers with status {answer.status_code}: {answer.text[:200]}")
        return value

    def _is_there(self) -> bool:
        """Return whether the server answers anything at all."""
        import requests

        try:
            requests.get(f"{self.url}/models", timeout=min(self.timeout, SHORT_S))
        except requests.RequestException:
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered."""

    text: str
    """The answer as it came."""
    finish_reason: str | None
    """``eos``, ``length``, or None where the server says something else."""
    tokens: int | None
    """Tokens of the answer, as the server counts them."""
    prompt_tokens: int | None
    """Tokens of the prompt, likewise."""
    thinking_tokens: int | None = None
    """Those of `tokens` that were only thought; None where the server does not say."""
    error: str | None = None
    """Why there is no answer; None where there is one."""
    may_pass: bool = False
    """Whether the reason is the server's, so that it may answer another time."""


def _pause(named: str | None, default: float) -> float:
    """Return the seconds to wait: those that the server names, a minute at most."""
    try:
        return min(float(named or default), 60.0)
    except ValueError:
        return default


def _text_of(content: Any) -> str:
    """Return a message's text, which may come in parts; TypeError where it is none."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type", "text") == "text")
    if content is not None and not isinstance(content, str):
        raise TypeError("content is neither a text nor its parts")
    return content or ""
