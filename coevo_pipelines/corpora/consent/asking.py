"""Asking a model: over an OpenAI-compatible interface, from a folder through transformers, or by someone elsewhere.

One question, asked once: nothing is repeated until an answer pleases, and no failure becomes an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coevo_pipelines import endpoints
from coevo_pipelines.corpora.consent.contracts import Endpoint, Local, Recorded

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
    """Put the question once, over `endpoints.complete`; `timeout_s`: to connect, and for the whole answer after that.

    `key` stands in no record or message. Raises AskError for anything but one whole answer in time.
    """
    asked = endpoints.question(served_as, question.messages, max_tokens)
    try:
        found = endpoints.complete(base_url, asked, key=key, timeout_s=timeout_s)
    except endpoints.EndpointError as error:
        raise AskError(f"{error}; nothing was recorded") from None
    return Answer(
        found.text,
        Endpoint(
            how="endpoint",
            address=found.address[:2000],
            served_as=served_as,
            reported=found.reported,
            temperature=0,
            max_tokens=max_tokens,
            ended=found.ended,
        ),
    )


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
    return f"{type(error).__name__} {' '.join(str(error).split())[: endpoints.MOST_TOLD]}"


def recorded(text: str, by: str) -> Answer:
    """An answer that was given elsewhere, as `by` says."""
    return Answer(text, Recorded(how="recorded", by=by))
