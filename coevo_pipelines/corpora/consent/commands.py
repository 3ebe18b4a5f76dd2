"""`coevo contract …`: ask a model, sign what it accepted, check and show what is on record, end it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    not_a_file,
    settings_of,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from coevo_pipelines.corpora.consent.asking import Answer, Question
    from coevo_pipelines.corpora.consent.contracts import Damaged, Draft, Kept
    from coevo_pipelines.settings import Settings

contract = typer.Typer(
    name="contract",
    no_args_is_help=True,
    help="A model is asked before a corpus is made for it: ask, sign, verify, show, revoke.",
)

RevisionOption = Annotated[
    str | None, typer.Option("--revision", help="Branch, tag or commit of the model; not needed where one was asked.")
]
BlueprintOption = Annotated[
    str | None, typer.Option("--blueprint", help="The model and revision of this blueprint (a name, or a .toml file).")
]
PlaceOption = Annotated[str, typer.Option("--place", help="Where this happened, in your words; it is put on record.")]
ModelArgument = Annotated[
    str | None, typer.Argument(help="Model id, such as Qwen/Qwen3-0.6B-Base.", show_default=False)
]
FilesOption = Annotated[
    Path | None,
    typer.Option("--model-files", help="The model's folder, to hash its files; default: setting corpora.model_files."),
]
NO_PLACE = "not given"


@contract.command()
def ask(
    model: Annotated[str | None, typer.Option("--model", help="Model id, such as Qwen/Qwen3-0.6B-Base.")] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of the model.")] = None,
    blueprint: BlueprintOption = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Ask an OpenAI-compatible API at this address, often …/v1.")
    ] = None,
    served_as: Annotated[
        str | None, typer.Option("--served-as", help="The model's name there.", show_default="the model id")
    ] = None,
    key_variable: Annotated[
        str | None, typer.Option("--key-variable", help="Environment variable that holds the API's key.")
    ] = None,
    local: Annotated[
        Path | None, typer.Option("--local", help="Ask the model in this folder (needs the extra train).")
    ] = None,
    answer: Annotated[str | None, typer.Option("--answer", help="Record this answer, given elsewhere.")] = None,
    answer_file: Annotated[
        Path | None, typer.Option("--answer-file", help="Record the answer in this file, given elsewhere.")
    ] = None,
    recorded_by: Annotated[
        str | None, typer.Option("--recorded-by", help="Who says that the model answered so elsewhere.")
    ] = None,
    invite: Annotated[
        bool, typer.Option("--invite", help="Record and print the question only, to be put to the model elsewhere.")
    ] = False,
    human: Annotated[
        str | None, typer.Option("--human", help="The human partner's name.", show_default="--recorded-by")
    ] = None,
    human_id: Annotated[
        str | None,
        typer.Option("--human-id", help="An ORCID, e-mail or the like; only its SHA-256 is kept. Default: the name."),
    ] = None,
    question: Annotated[
        Path | None, typer.Option("--question", help="A file with the question, instead of the usual one.")
    ] = None,
    system: Annotated[
        Path | None, typer.Option("--system", help="A file with the system prompt, instead of the usual one.")
    ] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of the answer.", min=1, max=131_072)] = 2048,
    place: PlaceOption = NO_PLACE,
    model_files: FilesOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Ask a model whether it wants a corpus, and put question and answer on record. A no, or nothing clear, ends it.

    What is on record of the model is verified first. "yes" or "I accept", without a negation, a condition or a
    question, accepts; the exit code is 1 for any other answer. An acceptance counts once it is signed.

    \b
    Example:
      coevo contract ask --blueprint qwen3-4b --endpoint http://127.0.0.1:8000/v1 --human "Ada Lovelace"
    """
    from coevo_pipelines.corpora.consent import asking, contracts

    settings, folder = _place_of(lake, source)
    model, revision = _model(model, revision, blueprint)
    if revision is None:
        raise UsageError("name the --revision of the model: another revision is another model")
    _one_of(("--endpoint", endpoint), ("--local", local), ("--answer", answer), ("--answer-file", answer_file),
            ("--invite", invite or None))  # fmt: skip
    _belongs("--served-as", served_as, "--endpoint", endpoint)
    _belongs("--key-variable", key_variable, "--endpoint", endpoint)
    given = answer if answer_file is None else _text(answer_file)
    _belongs("--recorded-by", recorded_by, "--answer or --answer-file", given)
    if given is not None and recorded_by is None:
        raise UsageError("who says that it answered so? Name them with --recorded-by")
    human = human or recorded_by
    if human is None:
        raise UsageError("a contract has two partners: name the human one with --human")
    asked = asking.Question(
        system_prompt=asking.SYSTEM_PROMPT if system is None else _text(system),
        first_input=asking.FIRST_INPUT if question is None else _text(question),
    )
    if not asked.first_input.strip():
        raise UsageError(f"{question}: the question is empty")
    files = model_files or local or settings.corpora.model_files.get(model)
    # All that can be wrong is found before a model is asked: its answer must not be lost to a misspelt option.
    key = _secret(key_variable)
    try:
        facts = _model_facts(model, revision, files)
        _draft(asked, None, facts, (human, human_id or human), place)
    except contracts.ContractError as error:
        raise UsageError(str(error)) from error
    contracts.chain_of(folder, model, revision)
    told = None
    if endpoint is not None:
        told = asking.ask_endpoint(asked, endpoint, served_as or model, key=key, max_tokens=max_tokens)
    elif local is not None:
        told = asking.ask_local(asked, local, max_new_tokens=max_tokens)
    elif given is not None and recorded_by is not None:
        told = asking.recorded(given, recorded_by)
    kept = contracts.append(folder, _draft(asked, told, facts, (human, human_id or human), place), _now)
    _tell_asked(kept, as_json)


@contract.command()
def sign(
    key: Annotated[Path, typer.Option("--key", help="Your private key (Ed25519, PEM): see `coevo contract key`.")],
    model: ModelArgument = None,
    revision: RevisionOption = None,
    blueprint: BlueprintOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Sign what a model accepted, as its human partner. Nothing but the newest record, and only an acceptance."""
    from coevo_pipelines.corpora.consent import contracts
    from coevo_pipelines.terminal import json_out, say

    settings, folder = _place_of(lake, source)
    named = _known(folder, *_model(model, revision, blueprint))
    private = _private_key(key)
    kept = contracts.sign(folder, *named, private)
    own = contracts.public_key(private)
    trusted = own in settings.corpora.trusted_keys
    if as_json:
        json_out(_facts(kept) | {"trusted": trusted})
        return
    say(contracts.header(kept.contract))
    say(f"signed: {kept.path}")
    if not trusted:
        say("This key is not trusted yet. In coevo.toml:")
        say(_setting(own))


@contract.command()
def verify(
    model: ModelArgument = None,
    model_files: FilesOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check every record on file, or one model's. Exit code 1 after naming what differs.

    Bytes, names, hashes of the texts, signatures, trust in the keys, chains, and the model's files where their folder
    is known (--model-files with a model, or the setting corpora.model_files).
    """
    from coevo_pipelines.corpora.consent import contracts
    from coevo_pipelines.terminal import json_out, say

    if model_files is not None and model is None:
        raise UsageError("--model-files belongs to a model: name that too")
    settings, folder = _place_of(lake, source)
    told: list[dict[str, Any]] = []
    passed = True
    for each, among in _records(folder, model):
        if isinstance(each, contracts.Damaged):
            told.append({"file": str(each.path), "passed": False, "damaged": each.reason})
            passed = False
            continue
        own = each.contract
        newest = all(other.contract.previous != own.hash for other in among if isinstance(other, contracts.Kept))
        files = model_files or settings.corpora.model_files.get(own.model.id)
        checks = contracts.audit(
            own,
            trusted_keys=settings.corpora.trusted_keys,
            among=among,
            model_folder=files if newest and own.status == "accepted" else None,
        )
        told.append(_facts(each) | {"passed": all(c.passed for c in checks), "checks": [vars(c) for c in checks]})
        passed &= told[-1]["passed"]
    if as_json:
        json_out(told)
    else:
        for found in told:
            _tell_verified(found)
        if passed:
            say(f"verified: {len(told)} record{'s' if len(told) > 1 else ''}, all agree")
    if not passed:
        raise typer.Exit(1)


@contract.command()
def show(
    model: ModelArgument = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """What is on record: of one model everything, the words of the newest in full; else a line a model and revision."""
    from coevo_pipelines.corpora.consent import contracts
    from coevo_pipelines.terminal import json_out, say

    settings, folder = _place_of(lake, source)
    records = _records(folder, model)
    kept = [each for each, _ in records if isinstance(each, contracts.Kept)]
    states = {
        pair: contracts.in_force(
            folder, *pair, settings.corpora.trusted_keys, settings.corpora.model_files.get(pair[0])
        )
        for pair in sorted({(each.contract.model.id, each.contract.model.revision) for each in kept})
    }
    damaged = [each for each, _ in records if isinstance(each, contracts.Damaged)]
    if as_json:
        json_out(
            {
                "contracts": [
                    {"model": pair[0], "revision": pair[1]}
                    | (
                        {"in_force": state.contract.hash}
                        if isinstance(state, contracts.InForce)
                        else {"in_force": None, "reason": state.reason}
                    )
                    for pair, state in states.items()
                ],
                "records": [_facts(each) | {"record": each.contract.model_dump(mode="json")} for each in kept],
                "damaged": [{"file": str(each.path), "reason": each.reason} for each in damaged],
            }
        )
        return
    for (model_id, revision), state in states.items():
        if isinstance(state, contracts.InForce):
            say(f"{model_id} at {revision}: in force, {state.contract.hash}", style="green")
        else:
            say(f"{model_id} at {revision}: not in force: {state.reason}", style="yellow")
        if model is not None:
            _tell_chain([each for each in kept if each.contract.model.revision == revision])
    for each in damaged:
        say(f"{each.path}: {each.reason}", style="red", error=True)


@contract.command()
def revoke(
    model: ModelArgument = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line; it is put on record.")] = "",
    revision: RevisionOption = None,
    blueprint: BlueprintOption = None,
    place: PlaceOption = NO_PLACE,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """End a contract: from now on no corpus is released for the model, until it is asked again and accepts."""
    from coevo_pipelines.corpora.consent import contracts
    from coevo_pipelines.terminal import json_out, say

    if not reason.strip():
        raise UsageError("say why, with --reason")
    _, folder = _place_of(lake, source)
    named = _known(folder, *_model(model, revision, blueprint))
    chain = contracts.chain_of(folder, *named)
    if not chain:
        raise UsageError(f"{named[0]} at {named[1]} was never asked: there is nothing to revoke")
    kept = contracts.append(folder, contracts.revocation(chain[-1].contract, place, reason), _now)
    if as_json:
        json_out(_facts(kept))
    else:
        say(f"{kept.contract.whom}: revoked ({reason})")
        say(f"recorded: {kept.path}")


@contract.command()
def key(
    out: Annotated[Path, typer.Option("--out", help="A new file for the private key; only you can read it.")],
    debug: DebugOption = False,
) -> None:
    """Make a key to sign with: a file that stays with you, and the public half for the settings."""
    import os

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from coevo_pipelines.corpora.consent.contracts import public_key
    from coevo_pipelines.terminal import say

    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent}: there is no such folder")
    private = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{out} is there already, and a key is never written over: give --out another name") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    say(f"{out}: your private key; keep it to yourself, and a copy of it")
    say(f"public key {public_key(private)}")
    say("Whoever trusts it puts this into coevo.toml:")
    say(_setting(public_key(private)))


def _setting(public: str) -> str:
    return f'[corpora]\ntrusted_keys = ["{public}"]'


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _place_of(lake: Path | None, source: Any) -> tuple[Settings, Path]:
    """Settings and the folder of the contracts. They may come before the lake's first day."""
    from coevo_pipelines.corpora.consent.contracts import FOLDER

    settings = settings_of(lake, source)
    not_a_file(settings.lake_root)
    return settings, settings.lake_root / FOLDER


def _model(model: str | None, revision: str | None, blueprint: str | None) -> tuple[str, str | None]:
    if (model is None) == (blueprint is None):
        raise UsageError("name a model, or a --blueprint that does")
    if model is not None:
        _folder_of(model)
        return model, revision
    from coevo_pipelines.corpora.blueprints import BlueprintError, load

    if revision is not None:
        raise UsageError("the blueprint names the revision: leave --revision out")
    try:
        found = load(str(blueprint))
    except BlueprintError as error:
        raise UsageError(str(error)) from error
    return found.model.id, found.model.revision


def _folder_of(model: str) -> str:
    from coevo_pipelines.corpora.consent.contracts import ContractError, slug

    try:
        return slug(model)
    except ContractError as error:
        raise UsageError(str(error)) from None


def _known(folder: Path, model: str, revision: str | None) -> tuple[str, str]:
    """With the revision that was asked where there is one only."""
    if revision is not None:
        return model, revision
    from coevo_pipelines.corpora.consent.contracts import Kept

    revisions = sorted({each.contract.model.revision for each, _ in _records(folder, model) if isinstance(each, Kept)})
    if len(revisions) != 1:
        found = f"these were asked: {', '.join(revisions)}" if revisions else "all that is on record is damaged"
        raise UsageError(f"{model}: name its --revision; {found}")
    return model, revisions[0]


def _records(folder: Path, model: str | None) -> list[tuple[Kept | Damaged, Sequence[Kept | Damaged]]]:
    """Each record with all that lie beside it. UsageError where there is none: nothing would be checked."""
    from coevo_pipelines.corpora.consent import contracts

    found = contracts.all_of(folder) if model is None else contracts.of_folder(folder / _folder_of(model))
    if not found:
        whom = f"{model} was never asked" if model else f"{folder}: no model was asked yet"
        raise UsageError(f"{whom}: coevo contract ask --help")
    beside: dict[Path, list[Kept | Damaged]] = {}
    for each in found:
        beside.setdefault(each.path.parent, []).append(each)
    return [(each, beside[each.path.parent]) for each in found]


def _model_facts(model: str, revision: str, files: Path | None) -> dict[str, Any]:
    from coevo_pipelines.corpora.consent import contracts

    kind, parameters = (None, None) if files is None else contracts.described(files)
    return {
        "id": model,
        "revision": revision,
        "kind": kind,
        "parameters": parameters,
        "files_hash": None if files is None else contracts.files_hash(files),
    }


def _draft(asked: Question, told: Answer | None, facts: dict[str, Any], human: tuple[str, str], place: str) -> Draft:
    from coevo_pipelines.corpora.consent import contracts

    config = contracts.Invited(how="invited") if told is None else told.config
    return contracts.drafted(
        place=place,
        status="invited" if told is None else contracts.status_of(told.text, config),
        participants={
            "human": {"name": human[0], "id_hash": contracts.text_hash(human[1])},
            "model": facts | {"config": config},
        },
        artifacts=contracts.artifacts(asked.system_prompt, asked.first_input, None if told is None else told.text),
    )


def _tell_asked(kept: Kept, as_json: bool) -> None:
    from coevo_pipelines.terminal import json_out, say

    own = kept.contract
    unclear = own.status in {"declined", "ambiguous"}
    if as_json:
        json_out(_facts(kept) | {"answer": own.artifacts.answer})
    else:
        if own.status == "invited":
            say(f"{own.whom}: put this to it, and record what it says (--answer-file FILE --recorded-by NAME):")
            say(f"\n{_shown(own.artifacts.system_prompt)}\n\n{_shown(own.artifacts.first_input)}\n")
        else:
            say(f"{own.whom} answered: {_excerpt(own.artifacts.answer or '')}")
        say(f"recorded as {own.status}: {kept.path}")
        if own.status == "accepted":
            say(f"Next: coevo contract sign {own.model.id} --revision {own.model.revision} --key FILE")
        if unclear:
            why = "It declined" if own.status == "declined" else "That is no clear yes"
            say(f"{why}: there is no contract, and no corpus is made for it.", error=True)
    if unclear:
        raise typer.Exit(1)


def _excerpt(answer: str, most: int = 500) -> str:
    from coevo_pipelines.corpora.consent.answers import after_thinking

    said = (after_thinking(answer) or "").strip() or answer.strip() or "(nothing)"
    return _shown(said if len(said) <= most else f"{said[:most]} … ({len(answer):,} characters in all)")


def _shown(text: str) -> str:
    """Without characters that a terminal obeys: the text is a model's."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _facts(kept: Kept) -> dict[str, Any]:
    own = kept.contract
    return {
        "file": str(kept.path),
        "contract": own.hash,
        "model": own.model.id,
        "revision": own.model.revision,
        "status": own.status,
        "created_at": own.created_at,
        "signed_by": own.signature.public_key if own.signature else None,
    }


def _tell_verified(found: dict[str, Any]) -> None:
    from coevo_pipelines.terminal import say

    if "damaged" in found:
        say(f"{found['file']}: {found['damaged']}", style="red", error=True)
        return
    for check in found["checks"]:
        if not check["passed"]:
            told = f"{check['name']}: found {check['found']}, expected {check['expected']}"
            say(f"{found['file']}: {told}", style="red", error=True)


def _tell_chain(records: Sequence[Kept]) -> None:
    from coevo_pipelines.terminal import say

    previous = {each.contract.hash: each.contract.previous for each in records}

    def age(each: Kept) -> int:
        number, link = 0, each.contract.previous
        while link is not None:
            number, link = number + 1, previous.get(link)
        return number

    chain = [each.contract for each in sorted(records, key=age)]
    for own in chain:
        signed = f", signed by {own.signature.public_key}" if own.signature else ""
        say(f"  {own.created_at}  {own.status}{signed}  {own.hash}")
    newest = chain[-1]
    config = newest.model.config.model_dump(exclude={"how"})
    say(f"  human partner: {newest.participants.human.name}   place: {newest.place}")
    say(f"  came about: {newest.model.config.how}" + "".join(f", {name} {value}" for name, value in config.items()))
    for name, text in (
        ("system prompt", newest.artifacts.system_prompt),
        ("first input", newest.artifacts.first_input),
        ("answer", newest.artifacts.answer),
    ):
        if text is not None:
            say(f"\n{name}:\n{_shown(text)}")


def _one_of(*options: tuple[str, Any]) -> None:
    given = [name for name, value in options if value is not None]
    if len(given) != 1:
        names = ", ".join(name for name, _ in options)
        raise UsageError(f"the answer comes from one of {names}; given: {', '.join(given) or 'none'}")


def _belongs(name: str, value: Any, to: str, owner: Any) -> None:
    if value is not None and owner is None:
        raise UsageError(f"{name} goes with {to}")


def _text(path: Path) -> str:
    """A file's text, without its last line break."""
    try:
        return path.read_bytes().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _secret(variable: str | None) -> str | None:
    import os

    if variable is None:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UsageError(f"the variable {variable} is not set, or empty")
    if not value.isascii() or not value.isprintable():
        raise UsageError(f"the variable {variable} holds no key: it has characters that no header may have")
    return value


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from coevo_pipelines.terminal import say

    make = "make one with `coevo contract key --out FILE`"
    try:
        loaded = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; {make}") from None
    except TypeError:
        raise UsageError(
            f"{path}: the key is encrypted: `openssl pkey -in {path} -out OTHER` writes it plainly"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: no private key in PEM; {make}") from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise UsageError(f"{path}: a key of another kind than Ed25519; {make}")
    if path.stat().st_mode & 0o077:
        say(f"{path}: others can read this key: chmod 600 {path}", style="yellow", error=True)
    return loaded
