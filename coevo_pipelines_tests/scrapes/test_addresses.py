"""E-mail addresses are taken out of whatever is stored, and nothing else is."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.scrapes.addresses import HOST, digest, pseudonym, redact, redact_text
from coevo_pipelines.traces import identifiers

ADA = b"cfe00dde@redacted.invalid"
"""`printf ada@example.org | sha256sum | cut -c1-8`"""


def test_the_digest_is_the_one_that_tells_contributors_apart() -> None:
    assert hashlib.sha256(b"ada@example.org").hexdigest()[:8] == "cfe00dde"
    assert digest(" Ada@Example.org ") == digest("cfe00dde@redacted.invalid") == "cfe00dde"
    assert pseudonym("ada@example.org").encode() == ADA


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"ada@example.org", ADA),
        (b"Ask ADA@Example.ORG.", b"Ask " + ADA + b"."),
        (b"<ada@example.org>, (ada@example.org)", b"<" + ADA + b">, (" + ADA + b")"),
        (b"'ada@example.org'", b"'" + ADA + b"'"),
        (b"[me](mailto:ada@example.org?subject=x)", b"[me](mailto:" + ADA + b"?subject=x)"),
        (b"mailto:ada%40example.org", b"mailto:" + ADA.replace(b"@", b"%40")),
        (b"?mailto=ada%2540example.org&x", b"?mailto=" + ADA.replace(b"@", b"%2540") + b"&x"),
        (b"ada&#64;example.org ada&#x40;example&#46;org", ADA + b" " + ADA),
        (rb'{"a":"\nada@example.org\r\n"}', rb'{"a":"\n' + ADA + rb'\r\n"}'),
        (rb'{"a":"\u003cada\u0040example.org\u003e"}', rb'{"a":"\u003c' + ADA + rb'\u003e"}'),
        (rb'{"a":"\u0061da\u0040example\u002eorg"}', rb'{"a":"' + ADA + rb'"}'),
        ("请联系ada@example.org谢谢".encode(), "请联系".encode() + ADA + "谢谢".encode()),
        ("jörg@example.org".encode(), pseudonym("jörg@example.org").encode()),
        (b'"email": "root@ubuntu"', b'"email": "' + pseudonym("root@ubuntu").encode() + b'"'),
        (b'"author_email":"a b@(none)"', b'"author_email":"' + pseudonym("a b@(none)").encode() + b'"'),
        (b"email: root@ubuntu\n", b"email: " + pseudonym("root@ubuntu").encode() + b"\n"),
        (b"1+bot[bot]@users.noreply.github.com", pseudonym("1+bot[bot]@users.noreply.github.com").encode()),
        (b"zhang@163.com", pseudonym("zhang@163.com").encode()),
        (b"a@b.org;c@d.org", f"{pseudonym('a@b.org')};{pseudonym('c@d.org')}".encode()),
    ],
)
def test_addresses_become_pseudonyms(body: bytes, kept: bytes) -> None:
    assert redact(body) == kept
    assert redact(kept) == kept


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"@",
        b"git@github.com:owner/name.git ssh://git@gitlab.com/owner/name git@github.com",
        b"react@18.2.0 react@18.2.0-rc.foo @babel/core@7.1.0 pkg@v1.2 actions/checkout@v4",
        b"logo@2x.png x@w.reshape(2) w@x.T a@b.shape",
        b"@app.route @ada @ada@mastodon.social",
        b"https://doi.org/10.1234/foo@bar.baz 10.1002/(sici)1@example.org",
        b"\\n@decorator\\n@property",
        ADA,
    ],
)
def test_what_is_no_address_stays(body: bytes) -> None:
    assert redact(body) == body


@pytest.mark.parametrize("link", ["https://ada:pass@github.com/a/b", "ada@github.com:a/b", "git@github.com:a/b"])
def test_links_of_works_stay_where_a_name_stands_before_them(link: str) -> None:
    kept = redact_text(f"see {link}.")
    assert list(identifiers.in_text(kept)) == [(1, "github:a/b")]
    assert "ada@" not in kept and "pass" not in kept


def test_json_stays_json_and_other_values_the_same() -> None:
    value = {"a": "x\n\tada@example.org\\n", "b": ["<ada@example.org>", '"ada@example.org"'], "n": 1.50, "é": "é"}
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(json.dumps(value))):
        kept = redact(body.encode())
        assert b"ada@" not in kept
        assert json.loads(kept.replace(ADA, b"ada@example.org")) == json.loads(body)


texts = st.text(alphabet="aZ09.@-_+'\"\\<>:/ %&;#[]()\nun40éмx", max_size=60)


@settings(deadline=None, max_examples=400)
@given(before=texts, after=texts)
def test_nothing_hides_an_address_with_space_around_it(before: str, after: str) -> None:
    kept = redact_text(f"{before} planted.one@example.org {after}")
    assert "planted.one@example.org" not in kept
    assert kept.count(HOST) >= 1


@settings(deadline=None, max_examples=400)
@given(text=texts, body=st.binary(max_size=80))
def test_twice_is_once_and_json_survives(text: str, body: bytes) -> None:
    assert redact(redact(body)) == redact(body)
    encoded = json.dumps({"email": text, "text": text}).encode()
    assert set(json.loads(redact(encoded))) == {"email", "text"}
