"""Keys, tokens and passwords in texts, replaced by `[SECRET_<TYPE>]`; keys of many lines are replaced whole.

The patterns of services are those of detect-secrets' plugins (1.5), applied in this process to the few lines that a
Rust expression picked; ours are the formats that came after it, the ends that its patterns leave open (a hash that
holds `AC` and 32 more digits is no Twilio key), and assignments to names such as `password`. What is decided:
- a value assigned to such a name is a secret if it looks drawn by lot (entropy, changes between letters and digits),
  under the names of passwords also if it mixes letters with digits or marks; UUIDs are, there;
- nothing else is one for its entropy: hashes of lock files, git ids, UUIDs, base64 images stay;
- templates (`${TOKEN}`, `<token>`), sequences, repeats and what says that it is an example (`AKIAIOSFODNN7EXAMPLE`,
  `your-api-key`, `changeme`) stay.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from coevo_pipelines.corpora.cleaning.redaction import Redacted, Span
from coevo_pipelines.corpora.cleaning.redaction import redact as _redact

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Rule:
    """What a kind of secret looks like. patterns: Python's; group: which part of a match is the secret. anchor: a Rust
    expression that matches each line that one of the patterns matches. real: a further condition on the secret."""

    type: str
    patterns: tuple[re.Pattern[str], ...]
    anchor: str
    group: int = 0
    real: Callable[[str], bool] = lambda _: True


_MADE_UP = re.compile(
    r"(?i)example|sample|placeholder|change.?me|replace|insert|dummy|redacted|x{5}|%[sdir]\b|\*{3}|\.{3}|"
    r"(?:^|(?<![sr]k)[-_.])(?:your?|my|test|todo|fake|foo|bar)(?:[-_.]|$)|^(?:none|null|true|false|undefined)$"
)
_PASSWORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|contrase(?:ñ|n)a|passwort|mot_de_passe|"
    r"(?:db|database|e?mail|smtp|ftp|user|admin|root|redis|mysql|postgres|proxy|auth)_?pass"
)
_KEYS = (
    r"secret|token|credential|api[-_ ]?key|apikey|access[-_ ]?key|auth[-_ ]?key|private[-_ ]?key|account[-_ ]?key|"
    r"service[-_ ]?key|client[-_ ]?key|encryption[-_ ]?key|signing[-_ ]?key|master[-_ ]?key|authtoken|bearer"
)
_SUFFIX = r"(?:[-_]?(?:key|value|prod|dev|live|test|main|v?\d{1,2}|s))?"
_SIGN = r"\\?[\"'\]`]{0,2}\s{0,4}(?::\s?[\w.\[\] |]{1,30}=|:=|=>|={1,3}|:)\s{0,4}"
"""With a type between, as in `api_key: str = …`, and with quotes that a notebook's JSON escapes."""
_COMMA = r"[\"']\s{0,4},\s{0,4}"
_QUOTED = r"[^\s\"'`<>\[\]{}\\]{6,200}"
_BARE = r"[^\s\"'`<>\[\]{}()$,;\\]{8,200}"


def _quoted(names: str, sign: str = _SIGN) -> tuple[re.Pattern[str], ...]:
    return (re.compile(rf"(?i)(?:{names}){_SUFFIX}{sign}[a-z@]{{0,2}}(\\{{0,3}}[\"'`])({_QUOTED})\1"),)


def _bare(names: str) -> tuple[re.Pattern[str], ...]:
    """Without quotes, where the line holds nothing else: `.env`, YAML, properties."""
    before = r"^\s{0,40}(?:export\s+|set\s+|ARG\s+|ENV\s+|-\s+)?[\w.-]{0,60}?"
    return (re.compile(rf"(?i){before}(?:{names}){_SUFFIX}\s{{0,4}}[=:]\s{{0,4}}()({_BARE})\s*(?:\s#.*)?$"),)


def _in_strings(names: str) -> tuple[re.Pattern[str], ...]:
    """In addresses, connection strings, headers, XML: `?token=…&`, `;Password=…;`, `'x-api-key: …'`, `<password>…<`."""
    value = r"()([^\s\"'`;&<>{}\\]{6,200})"
    return (
        re.compile(rf"(?i)[?&;\"'][\w.-]{{0,40}}?(?:{names}){_SUFFIX}(?:=|:\s?){value}(?=[;&\"'\\\s]|$)"),
        re.compile(rf"(?i)<[\w.:-]{{0,40}}?(?:{names}){_SUFFIX}>{value}</"),
    )


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values()) if value else 0.0


def made_up(value: str) -> bool:
    """Whether it stands for a secret rather than being one: a template, a sequence, an example."""
    from detect_secrets.filters.heuristic import is_sequential_string, is_templated_secret

    return (
        len(set(value)) < 5 or bool(_MADE_UP.search(value)) or is_templated_secret(value) or is_sequential_string(value)
    )


_LETTERS = re.compile(r"[A-Z]{2,}|[A-Z]?[a-z]+|\d+")


def drawn_by_lot(value: str) -> bool:
    """16 characters or more, among them digits and letters that change places as they do in random strings and not in
    names: a key of letters and digits has a run of one kind each 1.7 characters, `NewTokenFor2Users` each 4. Without
    digits 32 or more, whose case changes so."""
    if len(value) < 16 or not re.search(r"[A-Za-z]", value):
        return False
    runs = _LETTERS.findall(value)
    if not re.search(r"\d", value):
        return len(value) >= 32 and sum(map(len, runs)) < 2.9 * len(runs) and entropy(value) > 4
    is_hex = re.fullmatch(r"[0-9a-fA-F-]+", value)
    return sum(map(len, runs)) < 3.2 * len(runs) and entropy(value) > (2.9 if is_hex else 3.3)


def _kinds(value: str) -> int:
    return sum(bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w.:/-]"))


def _bare_password(value: str) -> bool:
    """As `_password`, but no identifier: a line `password = newPassword1` of code looks the same."""
    if value.startswith(("/", "~")):  # PWD=/home/…
        return False
    return drawn_by_lot(value) or (_kinds(value) >= 3 and len(re.findall(r"\d", value)) >= 2)


def _password(value: str) -> bool:
    if drawn_by_lot(value):
        return True
    kinds = _kinds(value)
    return kinds >= 3 or (kinds == 2 and bool(re.search(r"\d|[^\w.:/-]", value)) and not re.search(r"[/_.]|^-", value))


# The plugin's own pattern takes time quadratic in the line.
_NPMRC = re.compile(r":_authToken=\s{0,4}(npm_[A-Za-z0-9]{36}|[A-Fa-f0-9-]{36})(?![\w-])")
# The plugin's own pattern takes no password with `!`, `$` or `&`, and none without a user (redis).
_IN_ADDRESS = re.compile(r"://[^\s:/@\"'`<>{}\[\]]{0,100}:([^\s/@,\"'`<>{}]{3,100})@(?=[\w\[])")
_AUTHORIZATION = re.compile(
    r"(?i)authorization\\?[\"'\]]{0,2}\s{0,2}[:=,]\s{0,2}\\?[\"']?(?:bearer|token|basic|apikey)\s{1,2}"
    r"([\w.~+/-]{12,500}={0,2})"
)
# Where names are in capitals and no space is around the sign, the value is one: shells, `.env`, Dockerfiles.
_ENVIRONMENT = re.compile(
    r"^\s{0,40}(?:export\s+|ARG\s+|ENV\s+|-\s+)?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD)[A-Z0-9_]{0,12}="
    r"([^\s\"'`<>(){}$/\\]{6,200})\s*(?:\s#.*)?$"
)
_DISCORD = re.compile(r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}", re.ASCII)
_ENCODED = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{60,}={0,2}")
"""Base64 of `-----BEGIN`: kubeconfig, secrets of Kubernetes."""
# The plugin's own pattern ends before the signature.
_JWT = re.compile(r"(?<![0-9A-Za-z])eyJ[A-Za-z0-9_=-]{8,}\.[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]*){0,3}")


def _whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """The pattern where it is not the middle of a longer run: base64 and hashes hold any short token. The `n` of a
    written `\\n` is not of the run."""
    return re.compile(rf"(?:(?<![0-9A-Za-z])|(?<=\\[nrt]))(?:{pattern.pattern})(?![0-9A-Za-z])", pattern.flags)


def _bounded(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """The plugins' assignments with a few spaces at most: theirs took 9.6 s for a name and 1,000 spaces behind it."""
    return re.compile(pattern.pattern.replace("(?: *)", "(?: {0,4})").replace("| +|", "| {1,4}|"), pattern.flags)


_NEW = (
    r"xai-|pplx-|pcsk_|tvly-|lsv2_|ntn_|lin_api_|figd_|PMAK-|glsa_|glc_|sntry[su]_|NRAK-|\.atlasv1\.|pul-|sk\.eyJ|"
    r"FlyV1 fm"
)
_OURS = (
    ("github_token", r"gh[pousr]_[A-Za-z0-9_]{36,251}", "gh[pousr]_[A-Za-z0-9_]{36}"),
    ("github_token", r"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}", "github_pat_"),
    ("huggingface_token", r"(?:hf|api_org)_[A-Za-z0-9]{34}", r"(?:hf|api_org)_[A-Za-z0-9]{34}"),
    ("anthropic_key", r"sk-ant-[a-z0-9]{2,10}-[\w-]{40,}", "sk-ant-"),
    ("openai_key", r"sk-(?:proj|svcacct|admin|None)-[\w-]{40,}", "sk-(?:proj|svcacct|admin|None)-"),
    ("openai_key", r"sk-[A-Za-z0-9]{32,64}", "sk-[A-Za-z0-9]{32}"),
    ("openrouter_key", r"sk-or-v1-[0-9a-f]{64}", "sk-or-v1-"),
    ("groq_key", r"gsk_[A-Za-z0-9]{52}", "gsk_[A-Za-z0-9]{52}"),
    ("replicate_token", r"r8_[A-Za-z0-9]{37}", "r8_[A-Za-z0-9]{37}"),
    ("google_api_key", r"AIza[\w-]{35}", "AIza"),
    ("google_oauth", r"GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}", r"GOCSPX-|ya29\."),
    ("slack_token", r"xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+|xox[abeoprs](?:\.xox[bp])?-[\w-]{20,}", "xapp-|xox[abeoprs]"),
    ("stripe_key", r"(?:sk|rk)_(?:live|test)_[0-9a-zA-Z]{24,99}|whsec_[A-Za-z0-9]{32,}", "[sr]k_(?:live|test)_|whsec_"),
    ("npm_token", r"npm_[A-Za-z0-9]{36}", "npm_[A-Za-z0-9]{36}"),
    ("rubygems_key", r"rubygems_[0-9a-f]{48}", "rubygems_"),
    ("digitalocean_token", r"do[opr]_v1_[0-9a-f]{64}", "do[opr]_v1_"),
    ("docker_token", r"dckr_(?:pat|oat)_[\w-]{27,}", "dckr_"),
    ("shopify_token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "shp(?:at|ca|pa|ss)_"),
    ("vault_token", r"hv[sbr]\.[\w-]{24,}", r"hv[sbr]\."),
    ("databricks_token", r"dapi[0-9a-f]{32}(?:-\d)?", "dapi[0-9a-f]{32}"),
    ("age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}", "AGE-SECRET-KEY-"),
    ("telegram_token", r"(?:bot)?\d{8,10}:AA[0-9A-Za-z_-]{33}", r"\d{8,10}:AA[0-9A-Za-z_-]{33}"),
    ("discord_webhook", r"https://(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/[\w-]{60,}", "/webhooks/"),
    ("slack_token", r"https://hooks\.slack\.com/(?:workflows|triggers)/\w+/\w+/\w+(?:/\w+)?", r"hooks\.slack\.com"),
    ("azure_secret", r"[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}", r"\dQ~"),
    ("notion_token", r"ntn_[A-Za-z0-9]{46}", _NEW),
    ("notion_token", r"secret_[A-Za-z0-9]{43}", "secret_[A-Za-z0-9]{43}"),
    ("airtable_token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", r"pat[A-Za-z0-9]{14}\."),
    ("xai_key", r"xai-[A-Za-z0-9]{80}", _NEW),
    ("perplexity_key", r"pplx-[A-Za-z0-9]{40,56}", _NEW),
    ("pinecone_key", r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,64}", _NEW),
    ("tavily_key", r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}", _NEW),
    ("langsmith_key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", _NEW),
    ("linear_key", r"lin_api_[A-Za-z0-9]{40}", _NEW),
    ("figma_token", r"figd_[\w-]{40,60}", _NEW),
    ("postman_key", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", _NEW),
    ("grafana_token", r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2}", _NEW),
    ("sentry_token", r"sntry[su]_[\w+/=-]{40,400}", _NEW),
    ("newrelic_key", r"NRAK-[A-Z0-9]{27}", _NEW),
    ("terraform_token", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}", _NEW),
    ("pulumi_token", r"pul-[0-9a-f]{40}", _NEW),
    ("mapbox_token", r"sk\.eyJ[\w-]{20,200}\.[\w-]{22}", _NEW),
    ("fly_token", r"FlyV1 fm[12]_[\w+/=,-]{40,2000}", _NEW),
)
"""Formats that detect-secrets 1.5 has not, or has with another ending; as their services publish them."""


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All kinds, most certain first."""
    from detect_secrets.plugins import (
        aws,
        azure_storage_key,
        cloudant,
        gitlab_token,
        ibm_cloud_iam,
        ibm_cos_hmac,
        mailchimp,
        openai,
        pypi_token,
        sendgrid,
        slack,
        softlayer,
        square_oauth,
        twilio,
    )
    from detect_secrets.plugins.jwt import JwtTokenDetector

    def whole(plugin: Any, type_: str, anchor: str, real: Callable[[str], bool] = lambda _: True) -> Rule:
        return Rule(type_, tuple(_whole(pattern) for pattern in plugin.denylist), anchor, real=real)

    ibm = r"(?i)(?:key|pwd|pw|password|pass|token)[\"']?\]?\ *(?:=|:| )[=:>]?\ *[\"']?[a-z0-9_-]{24}"
    access, secret = aws.AWSKeyDetector.denylist
    return (
        Rule("aws_access_key", (_whole(access),), "(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}"),
        Rule("aws_secret_key", (secret,), "(?i)aws.*[\"'][0-9a-zA-Z/+]{40}[\"']", 1),
        *(Rule(type_, (_whole(re.compile(pattern)),), anchor) for type_, pattern, anchor in _OURS),
        whole(gitlab_token.GitLabTokenDetector, "gitlab_token", "gl(?:[a-z]{2,6})-[A-Za-z0-9]|GR1348941"),
        whole(openai.OpenAIDetector, "openai_key", "T3BlbkFJ"),
        whole(pypi_token.PypiTokenDetector, "pypi_token", "pypi-AgE"),
        whole(sendgrid.SendGridDetector, "sendgrid_key", r"SG\.[a-zA-Z0-9_-]{22}\."),
        whole(slack.SlackDetector, "slack_token", r"(?i)xox[abposr]-|hooks\.slack\.com"),
        whole(square_oauth.SquareOAuthDetector, "square_secret", "sq0csp-"),
        Rule("discord_token", (_whole(_DISCORD),), r"\.[a-zA-Z0-9_-]{6}\.[a-zA-Z0-9_-]{27}", real=drawn_by_lot),
        whole(twilio.TwilioKeyDetector, "twilio_key", "(?:AC|SK)[a-z0-9]{32}"),
        whole(mailchimp.MailchimpDetector, "mailchimp_key", r"[0-9a-z]{32}-us[0-9]"),
        whole(azure_storage_key.AzureStorageKeyDetector, "azure_storage_key", "AccountKey="),
        Rule("jwt", (_JWT,), r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]", real=JwtTokenDetector.is_formally_valid),
        Rule("npm_token", (_NPMRC,), ":_authToken=", 1),
        Rule("basic_auth", (_IN_ADDRESS,), r"://[^\s:/@]*:[^\s/@]+@", 1, _in_address),
        Rule("authorization", (_AUTHORIZATION,), "(?i)authorization", 1, drawn_by_lot),
        Rule("private_key", (_whole(_ENCODED),), "LS0tLS1CRUdJTi", real=_private),
        Rule("cloudant_key", tuple(map(_bounded, cloudant.CloudantDetector.denylist[:2])), ibm, 1, drawn_by_lot),
        Rule("softlayer_key", tuple(map(_bounded, softlayer.SoftlayerDetector.denylist[:1])), ibm, 1, drawn_by_lot),
        Rule("ibm_cos_key", tuple(map(_bounded, ibm_cos_hmac.IbmCosHmacDetector.denylist)), ibm, 1, drawn_by_lot),
        Rule("ibm_iam_key", tuple(map(_bounded, ibm_cloud_iam.IbmCloudIamDetector.denylist)), ibm, 1, drawn_by_lot),
        Rule("password", _quoted(_PASSWORDS) + _in_strings(_PASSWORDS), _anchor(_PASSWORDS), 2, _password),
        Rule("password", _quoted(rf"define\(\s?[\"']\w{{0,40}}(?:{_PASSWORDS})", _COMMA), r"define\(", 2, _password),
        Rule("password", (_ENVIRONMENT,), _anchor(_PASSWORDS), 1, _password),
        Rule("password", _bare(_PASSWORDS), _anchor(_PASSWORDS), 2, _bare_password),
        Rule(
            "key",
            _quoted(_KEYS) + _quoted(_KEYS, _COMMA) + _bare(_KEYS) + _in_strings(_KEYS),
            _anchor(_KEYS),
            2,
            drawn_by_lot,
        ),
    )


def _private(value: str) -> bool:
    return b"PRIVATE KEY" in base64.b64decode(value[:72])


def _in_address(value: str) -> bool:
    """A password of a URL, and not a word for one."""
    words = r"(?i)pass(?:word|wd)?|pwd|secret|token|%s|x-oauth-basic|\$\w+"
    return len(value) > 3 and not re.fullmatch(words, value)


def _anchor(names: str) -> str:
    return rf"(?i)(?:{names}){_SUFFIX}(?:{_SIGN}|{_COMMA}|>)[a-z@]{{0,2}}\\{{0,3}}[\"'`]?[^\s\"'`<>\[\]{{}}\\]{{6}}"


@lru_cache(maxsize=1)
def worth() -> tuple[str, ...]:
    """Rust expressions, one of which matches each line in which a rule finds something."""
    return tuple(dict.fromkeys(rule.anchor for rule in rules()))


def in_line(line: str) -> Iterator[Span]:
    """The secrets of one line, most certain first."""
    for rule in rules():
        for pattern in rule.patterns:
            for match in pattern.finditer(line):
                value = match[rule.group]
                if value and rule.real(value) and not made_up(value) and "[SECRET_" not in value:
                    yield Span(*match.span(rule.group), f"secret_{rule.type}")


BLOCK = ("PRIVATE KEY", "PuTTY-User-Key-File-")
_BEGIN = re.compile(r"-{4,5} ?BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?) ?-{4,5}")
_END = re.compile(_BEGIN.pattern.replace("BEGIN", "END"))
_BODY = re.compile(r"(?:[0-9A-Za-z+/=\s\"'`,.:;|#*>()-]|\\[nrt]|\\$){40,}")
_PUTTY = re.compile(r"PuTTY-User-Key-File-\d:[^\n]*\n(?:[^\n]*\n){1,120}?Private-MAC: *[0-9a-f]+")
_BASE64 = re.compile(r"[0-9A-Za-z+/]{30,}")


def in_text(text: str) -> Iterator[Span]:
    """Private keys of many lines: PEM, OpenSSH, PGP, SSH2 and PuTTY blocks, also inside a string with `\\n`. A header
    without a key behind it stays; a key that is cut off goes as far as it looks like one."""
    for match, following in pairwise([*_BEGIN.finditer(text), None]):
        if match is None:
            break
        stop = min(following.start() if following else len(text), match.end() + 30_000)
        end = next((end for end in _END.finditer(text, match.end(), stop) if end[1] == match[1]), None)
        body = None if end else _BODY.match(text, match.end(), stop)
        keys = [*_BASE64.finditer(text, match.end(), end.start() if end else body.end() if body else match.end())]
        if keys:
            yield Span(match.start(), end.end() if end else keys[-1].end(), "secret_private_key")
    for match in _PUTTY.finditer(text):
        yield Span(*match.span(), "secret_private_key")


def redact(texts: pl.Series) -> Redacted:
    """The texts without their secrets, and how many of each type each text held (see `redaction.Redacted`). Lines stay
    lines, only a key of many lines becomes one. Whether such a text is used at all is the caller's rule."""
    return _redact(texts, block=BLOCK, in_text=in_text, worth=worth(), in_line=in_line)
