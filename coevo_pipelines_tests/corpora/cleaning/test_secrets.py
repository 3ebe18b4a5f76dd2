"""Secrets become placeholders; what only looks like one stays."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.cleaning import secrets
from coevo_pipelines.corpora.cleaning.redaction import matching, replace

DRAWN = random.Random(7)


def drawn(n: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(DRAWN.choice(letters) for _ in range(n))


HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
KEY40 = drawn(38) + "7b"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"7"}', b"0" * 32)
)
FOUND = [
    (f"id = {'AKIA' + drawn(16, UPPER)}", "aws_access_key"),
    (f'aws_secret_access_key = "{KEY40}"', "aws_secret_key"),
    (f"git clone https://x:{'ghp_' + drawn(36)}@github.com/a/b", "github_token"),
    (f"token: github_pat_{drawn(22)}_{drawn(59)}", "github_token"),
    (f"GITLAB=glpat-{drawn(20)}", "gitlab_token"),
    (f"login(token='hf_{drawn(34, string.ascii_letters)}')", "huggingface_token"),
    (f"key sk-ant-api03-{drawn(93)}-AA", "anthropic_key"),
    (f"OPENAI_API_KEY=sk-proj-{drawn(74)}T3BlbkFJ{drawn(74)}", "openai_key"),
    (f"openai.api_key = 'sk-{drawn(20)}T3BlbkFJ{drawn(20)}'", "openai_key"),
    (f"apiKey: 'AIza{drawn(35)}',", "google_api_key"),
    (f"xoxb-{drawn(12, string.digits)}-{drawn(12, string.digits)}-{drawn(24)}", "slack_token"),
    (f"https://hooks.slack.com/services/T{drawn(8, UPPER)}/B{drawn(8, UPPER)}/{drawn(24)}", "slack_token"),
    (f"stripe.api_key = 'sk_live_{drawn(24)}'", "stripe_key"),
    (f"twine -p pypi-AgEIcHlwaS5vcmc{drawn(90)}", "pypi_token"),
    (f"//registry.npmjs.org/:_authToken=npm_{drawn(36)}", "npm_token"),
    (f"SG.{drawn(22)}.{drawn(43)}", "sendgrid_key"),
    (f"SK{drawn(32, HEX)}", "twilio_key"),
    (f"{drawn(32, HEX)}-us12", "mailchimp_key"),
    (f"AccountName=a;AccountKey={drawn(86)}==;", "azure_storage_key"),
    (f"bot 123456789:AA{drawn(33)}", "telegram_token"),
    (f"Authorization: Bearer {JWT}", "jwt"),
    ("postgres://admin:hj83Hd9a@db.corp.net/x", "basic_auth"),
    ("mongodb+srv://root:Zk3vQ9mB7s@c0.mongodb.net", "basic_auth"),
    ('password = "hunter2!!x"', "password"),
    ("passwd: 'Pa$$w0rd'", "password"),
    ("DB_PASSWORD=S3cr3tP4ss", "password"),
    ("  password: Summer2024", "password"),
    (f'api_key = "{drawn(30, HEX)}a7"', "key"),
    ('client_secret: "550e8400-e29b-41d4-a716-446655440000"', "key"),
    (f"export SESSION_TOKEN={drawn(38)}a7", "key"),
    (f'"encryption_key": b"{drawn(30)}a7"', "key"),
    (f"stripe.api_key = 'sk_test_{drawn(24)}'", "stripe_key"),
    (f"curl https://api.telegram.org/bot5361676149:AA{drawn(33)}/getMe", "telegram_token"),
    (f"MTA{drawn(23)}.{drawn(6)}.{drawn(38)}", "discord_token"),
    (f"https://canary.discord.com/api/v10/webhooks/{drawn(18, string.digits)}/{drawn(68)}", "discord_webhook"),
    (f'"token = x\\nghp_{drawn(36)}\\n"', "github_token"),
    (f"ghp_{drawn(40)}", "github_token"),
    (f"client = OpenAI('sk-{drawn(32, HEX)}')", "openai_key"),
    (f"{drawn(3)}8Q~{drawn(34)}", "azure_secret"),
    (f"pplx-{drawn(48)}", "perplexity_key"),
    (f"glsa_{drawn(32)}_{drawn(8, HEX)}", "grafana_token"),
    (f"-H 'Authorization: Bearer {drawn(38)}a7'", "authorization"),
    ("Authorization: Basic YWRtaW46U3VwM3JTM2NyM3Qh", "authorization"),
    (f"curl -H 'x-api-key: {drawn(38)}a7' https://api.a.io", "key"),
    (f'"api_key = \\"{drawn(30)}a7\\"\\n",', "key"),
    (f'api_key: str = "{drawn(30)}a7"', "key"),
    (f'token = "{drawn(40, string.ascii_letters)}"', "key"),
    (f"API_TOKEN={drawn(30)}a7   # of production", "key"),
    (f"ARG API_KEY={drawn(30)}a7", "key"),
    (f"GET /v1?q=1&api_key={drawn(30)}a7&n=2", "key"),
    (f"Endpoint=sb://x.net/;SharedAccessKey={drawn(42)}7=", "key"),
    ("Server=h;User Id=u;Password=Zx81kqPw2!;", "password"),
    ("jdbc:mysql://h/db?user=a&password=Zx81kqPw2", "password"),
    ("<password>Zx81kqPw2!</password>", "password"),
    ("define('DB_PASSWORD', 'Zx81kqPw2!');", "password"),
    ("MYSQL_ROOT_PASSWORD=summer2019", "password"),
    ('SMTP_PASS="Zx81kqPw2!"', "password"),
    ("redis://:s3cr3tPa55@redis:6379/0", "basic_auth"),
    ("postgres://app:S3cr3t!Pa&s@db:5432/x", "basic_auth"),
    (base64.b64encode(f"-----BEGIN RSA PRIVATE KEY-----\n{drawn(90)}".encode()).decode(), "private_key"),
]
STAYS = [
    'aws_access_key_id = "AKIAIOSFODNN7EXAMPLE"',
    'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    'api_key = "YOUR_API_KEY_HERE_123456"',
    'api_key="your-api-key-goes-here-12345"',
    'password = "password"',
    'password = "changeme123"',
    'password = "user_password_field"',
    "password = getpass.getpass('Password: ')",
    "password = newPassword1",
    "if password == other_password123:",
    'secret = os.environ["SECRET_TOKEN_VALUE_1"]',
    'token = "${GITHUB_TOKEN}"',
    "token: {{ secrets.GITHUB_TOKEN_2 }}",
    'token = "<your token 12345678>"',
    'token = "bert-base-uncased-finetuned-12"',
    'token = "MyAccessTokenProvider2User"',
    'pad_token = "<pad>"',
    "num_tokens: 1234567890123456",
    'secret = "abcdefghijklmnopqrstuvwxyz0123456789"',
    'key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"',
    f'commit = "{drawn(40, HEX)}"',
    f"Subproject commit {drawn(40, HEX)}",
    f'"integrity": "sha512-{drawn(86)}=="',
    f'hash = "sha256:{drawn(64, HEX)}"',
    f"pkg==1.0 --hash=sha256:{drawn(64, HEX)}",
    'id = "550e8400-e29b-41d4-a716-446655440000"',
    f'<img src="data:image/png;base64,{drawn(300)}AKIA{drawn(16, UPPER)}a{drawn(90)}">',
    f"sha {drawn(20, HEX)}AC{drawn(40, HEX)}",
    "url = 'postgres://user:password@localhost/x'",
    "url = 'https://${USER}:${PASS}@host/x'",
    "git@github.com:owner/repo.git",
    "PWD=/home/user1/Abc2",
    "url = 'postgres://user:$PASS@localhost/x'",
    "http://[::1]:8080@x",
    "headers['Authorization'] = 'Bearer ' + access_token_2",
    "Authorization: Bearer <your token>",
    '<input name="token">NewTokenFor2Users</input>',
    'labels = ["token", "bert-base-uncased-finetuned-12"]',
    base64.b64encode(f"-----BEGIN CERTIFICATE-----\n{drawn(90)}".encode()).decode(),
    "-----BEGIN RSA PRIVATE KEY-----",
    'if text.startswith("-----BEGIN PRIVATE KEY-----"): return load("-----END PRIVATE KEY-----")',
]


@pytest.mark.parametrize(("line", "kind"), FOUND)
def test_what_is_replaced(line: str, kind: str) -> None:
    found = secrets.redact(pl.Series([f"before\r\n{line}\nafter"]))
    first, middle, last = found.texts[0].split("\n")
    assert (first, last) == ("before\r", "after")
    assert f"[SECRET_{kind.upper()}]" in middle
    assert found.counts.rows() == [(0, f"secret_{kind}", 1)]


@pytest.mark.parametrize("line", STAYS)
def test_what_stays(line: str) -> None:
    found = secrets.redact(pl.Series([line]))
    assert found.texts.to_list() == [line]
    assert not found.counts.height


BODY = "\n".join(drawn(64) for _ in range(5))
BLOCKS = [
    f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{BODY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\r\n{BODY}\r\n-----END PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n{BODY}\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
    f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{BODY}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
    "-----BEGIN EC PRIVATE KEY-----\\n" + BODY.replace("\n", "\\n") + "\\n-----END EC PRIVATE KEY-----",
    f"PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 5\n{BODY}\nPrivate-MAC: {drawn(40, HEX)}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_keys_of_many_lines_are_replaced_whole(block: str) -> None:
    text = f'a = 1\nkey = """{block}'
    found = secrets.redact(pl.Series([text, text + '"""\nb = 2\n']))
    assert found.texts.to_list() == [
        'a = 1\nkey = """[SECRET_PRIVATE_KEY]',
        'a = 1\nkey = """[SECRET_PRIVATE_KEY]"""\nb = 2\n',
    ]
    assert found.counts.rows() == [(0, "secret_private_key", 1), (1, "secret_private_key", 1)]


def test_two_keys_and_a_public_one() -> None:
    one, public = BLOCKS[1], f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----END CERTIFICATE-----"
    found = secrets.redact(pl.Series([f"{one}\n{public}\n{one}"]))
    assert found.texts.to_list() == [f"[SECRET_PRIVATE_KEY]\n{public}\n[SECRET_PRIVATE_KEY]"]
    assert found.counts["n"].to_list() == [2]


def test_rows_nulls_and_what_was_given() -> None:
    given_texts = pl.Series("text", [None, "", FOUND[0][0], "plain", f"{FOUND[0][0]}\n{FOUND[24][0]}\n{FOUND[0][0]}"])
    before = given_texts.to_list()
    found = secrets.redact(given_texts)
    assert given_texts.to_list() == before
    assert found.texts.name == "text"
    assert found.texts.dtype == pl.String
    assert found.texts.to_list()[:2] == [None, ""]
    assert found.counts.rows() == [
        (2, "secret_aws_access_key", 1),
        (4, "secret_aws_access_key", 2),
        (4, "secret_password", 1),
    ]
    empty = secrets.redact(pl.Series("text", [], dtype=pl.String))
    assert empty.texts.len() == empty.counts.height == 0
    assert empty.counts.schema == found.counts.schema


lines = st.lists(
    st.sampled_from([line for line, _ in FOUND] + STAYS)
    | st.text(max_size=30)
    | st.sampled_from(["\n", " ", '"', "=", ":"])
).map("".join)


@settings(max_examples=30, deadline=None)
@given(lines)
def test_the_first_look_loses_nothing_and_twice_is_once(text: str) -> None:
    found = secrets.redact(pl.Series([text]))
    whole, _ = replace(text, secrets.in_text)
    assert found.texts[0] == "\n".join(replace(line, secrets.in_line)[0] for line in whole.split("\n"))
    assert found.texts[0].count("[SECRET_") - text.count("[SECRET_") == found.counts["n"].sum()
    assert not secrets.redact(found.texts).counts.height


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_each_pattern_of_the_detector_passes_the_first_look(data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from([rule for rule in secrets.rules() if rule.type not in {"password", "key"}]))
    pattern = data.draw(st.sampled_from(rule.patterns))
    line = data.draw(st.from_regex(pattern, alphabet=st.characters(codec="ascii", exclude_characters="\r\n")))
    if any(pattern.search(part) for part in line.split("\n")):
        assert matching(pl.Series(line.split("\n")), (rule.anchor,)).any(), (rule.type, line)


def test_a_long_line_is_no_trap() -> None:
    started = time.process_time()
    for part in (
        "a",
        "eyJa.",
        "password=",
        "://a:",
        "-----BEGIN PRIVATE KEY-----",
        "AKIA",
        "x-",
        "//x/:_authToken=",
        "key" + " " * 2000,
    ):
        secrets.redact(pl.Series([part * (60_000 // len(part)) + drawn(40)]))
    assert time.process_time() - started < 10


def test_hashes_of_a_lock_file_stay() -> None:
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(200)]
    text = "\n".join(f'    {{file = "p-{n}.whl", hash = "sha256:{value}"}},' for n, value in enumerate(hashes))
    assert secrets.redact(pl.Series([text])).texts.to_list() == [text]
