"""Personal data in texts, replaced by placeholders: [EMAIL], [PHONE], [IP_ADDRESS], [CREDIT_CARD], [IBAN],
[SSH_PUBLIC_KEY] and [PGP_PUBLIC_KEY] (public keys name their owner). Names of people stay: attribution needs them.

What is decided, in doubt for the text:
- addresses of RFC 2606 (example.com, .test, …), service accounts in addresses of repositories (`git@`), and
  algorithms that are written like addresses (`aes256-gcm@openssh.com`) stay;
- an e-mail address ends in a top-level domain (countries', and generic ones in wide use; any one behind `mailto:` or
  between angle brackets), so that `a@b.T` and `pkg@1.2.3` are none; obfuscated ones count where both signs are there
  (`name [at] host [dot] org`);
- a phone number has a `+`, or the form (415) 555-2671, or a word such as `tel:` before it, and is valid (phonenumbers);
- an IP address is of the public internet (IANA's registries); four small numbers are a version unless the line speaks
  of hosts or addresses;
- a card number passes Luhn's check, has an issuer's prefix and length, and is grouped or behind a word for cards; an
  IBAN has its country's length and passes ISO 7064 mod 97-10.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from coevo_pipelines.corpora.cleaning.redaction import Redacted, Span
from coevo_pipelines.corpora.cleaning.redaction import redact as _redact

if TYPE_CHECKING:
    import polars as pl

_GENERIC = (
    "com org net edu gov mil int info biz name pro aero coop museum mobi jobs tel travel asia cat post xxx arpa "
    "academy app art berlin blog build business center chat city cloud club codes company computer consulting dev "
    "digital earth email energy engineer engineering expert foundation fund fyi games global group guru health help "
    "host house institute international land law legal life live llc london love ltd management media monster network "
    "news ninja one online ooo page paris partners photos physics plus pub rocks run school science scot services site "
    "social software solutions space store studio support systems team tech technology today tokyo tools top "
    "university ventures wiki work works world wtf xyz zone"
)
"""Top-level domains of IANA's list that people have addresses under and that name no method or attribute."""
_KEPT_HOSTS = re.compile(
    r"(?i)(?:.*\.)?(?:example\.(?:com|net|org)|openssh\.com|libssh\.org|[^.]+\.(?:example|test|invalid|localhost|local))"
    r"|(?:.*\.)?(?:example|test|invalid|localhost)"
)
_SERVICE = frozenset({"git", "ssh", "hg", "svn", "gitea", "gitlab", "aur", "anonymous"})
_LOCAL = r"[A-Za-z0-9_](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24})"
_FOREIGN = re.compile(
    r"(?<![\w.%+@-])[\w.%+-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@(]|-\w)"
)
"""An address with letters other than ASCII's (RFC 6531): no code looks so."""
_EMAIL = re.compile(
    rf"(?<![A-Za-z0-9._%+@-])(?P<local>{_LOCAL}|\{{[^{{}}@\n]{{1,100}},[^{{}}@\n]{{1,100}}\}})@(?P<host>{_HOST})(?![A-Za-z0-9_@]|-[A-Za-z0-9]|\()"
)
_AT = r"\s?(?:\[\s?(?:at|@)\s?\]|\(\s?(?:at|@)\s?\)|\{\s?(?:at|@)\s?\}|<\s?(?:at|@)\s?>)\s?"
_DOT = r"(?:\s?(?:\[\s?(?:dot|\.)\s?\]|\(\s?(?:dot|\.)\s?\)|\{\s?(?:dot|\.)\s?\}|<\s?(?:dot|\.)\s?>)\s?|\.| dot )"
_SPELT = re.compile(
    rf"(?i)(?<![A-Za-z0-9._%+-])(?P<local>[A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}})(?:"
    rf"{_AT}(?P<host>[A-Za-z0-9-]{{1,63}}(?:{_DOT}[A-Za-z0-9-]{{1,63}}){{0,4}}{_DOT}(?P<top>[A-Za-z]{{2,24}}))"
    r"| at (?P<host2>[A-Za-z0-9-]{1,63}(?: dot [A-Za-z0-9-]{1,63}){0,4} dot (?P<top2>[A-Za-z]{2,24})))(?![A-Za-z0-9_(])"
)
_MAYBE_SPELT = re.compile(r"(?i)[\[({<]\s?(?:at|@)\s?[\])}>]| dot ")


@lru_cache(maxsize=1)
def _tops() -> frozenset[str]:
    """Countries' domains are ISO 3166-1's codes in lower case, with three exceptions (IANA root zone)."""
    from phonenumbers import SUPPORTED_REGIONS

    return frozenset(_GENERIC.split()) | {region.lower() for region in SUPPORTED_REGIONS} | {"uk", "eu", "su"}


def _emails(line: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(line) if "@" in line else ():
        local, host = match["local"], match["host"].lower()
        labels = host.split(".")
        told = line[max(0, match.start() - 7) : match.start()].lower()
        sure = told.endswith("mailto:") or (told.endswith("<") and line[match.end() : match.end() + 1] == ">")
        if (
            local.lower() not in _SERVICE
            and not _KEPT_HOSTS.fullmatch(host)
            and (sure or labels[-1] in _tops())
            and sum(label.isdigit() for label in labels) < 2
            and (sure or len(local) > 1 or len(labels[0]) > 1)
        ):
            yield Span(*match.span(), "email")
    for match in _FOREIGN.finditer(line) if "@" in line and not line.isascii() else ():
        if not match[0].isascii():
            yield Span(*match.span(), "email")
    for match in _SPELT.finditer(line) if _MAYBE_SPELT.search(line) else ():
        top = (match["top"] or match["top2"]).lower()
        host = re.sub(r"(?i)[^a-z0-9-]+(?:dot[^a-z0-9-]+)?", ".", match["host"] or match["host2"])
        if top in _tops() and not _KEPT_HOSTS.fullmatch(host) and match["local"].lower() not in _SERVICE:
            yield Span(*match.span(), "email")


_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "SE", "PL", "BR", "IN", "CN", "JP", "AU")
"""Where a number without a country is looked for once a word says that it is a phone's."""
_PHONE_WORD = (
    r"(?:(?<![A-Za-z])(?:tele|télé|telé)?(?:phone|fon|foon|fono)|(?<![A-Za-z])(?:tel|tél|mobile?|cell|handy|fax|whatsapp)|"
    r"☎|📞|电话|電話)(?:[ _-]?(?:number|no|nr|num))?[\"'.]{0,2}\s?[:=.]{0,2}\s{0,4}[\"']?"
)
_WORDED = re.compile(rf"(?i){_PHONE_WORD}(?P<number>\(?\d[\d ().\-/]{{5,18}}\d)(?![\d\w])")
_INTERNATIONAL = re.compile(r"(?<![\w+.)\]])(?:\+|(?<![/:=-])00(?=[1-9]))\(?[1-9][\d ().\-/]{5,22}\d(?!\w|\.\d)")
_NATIONAL = re.compile(r"(?<![\w.+-])(?:\([2-9]\d\d\) ?|[2-9]\d\d-)[2-9]\d\d-\d{4}(?![\w-]|\.\d)")
_FICTION = re.compile(r"\+?1?[ .-]?\(?(?:555|[2-9]\d\d\)?[ .-]?555)[ .)-]")
_DECIMAL = re.compile(r"\+?\d+\.\d+")


def _phones(line: str) -> Iterator[Span]:
    import phonenumbers

    def valid(number: str, region: str | None) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
        except phonenumbers.NumberParseException:
            return False

    for match in _INTERNATIONAL.finditer(line):
        # The matcher knows where a number ends: `+44 20 7946 0958 (ext 3)`, `+1 415 555 2671 2024-01-02`.
        text = "+" + match[0][2:] if match[0].startswith("00") else match[0]
        if _DECIMAL.fullmatch(text):
            continue
        shift = len(match[0]) - len(text)
        found = next(iter(phonenumbers.PhoneNumberMatcher(text, None)), None)
        if found is not None and found.start == 0:
            yield Span(match.start(), match.start() + shift + found.end, "phone")
        elif (fiction := re.match(r"\+1[ .-]?\(?[2-9]\d\d\)?[ .-]\d{3}[ .-]\d{4}(?!\d)", text)) is not None:
            yield Span(match.start(), match.start() + shift + fiction.end(), "phone")
    for match in _NATIONAL.finditer(line):
        if valid(match[0], "US") or _FICTION.match(match[0]):
            yield Span(*match.span(), "phone")
    for match in _WORDED.finditer(line):
        number = match["number"]
        if not _DECIMAL.fullmatch(number) and any(valid(number, region) for region in _REGIONS):
            yield Span(*match.span("number"), "phone")


_V4 = re.compile(r"(?<![\w.:-])(?<![^/]/)(?<!^/)(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\w)")
_V6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION = re.compile(
    r"(?i)(?:version|\bver|\bv|release|revision|\brev|build|assembly\w*|section|§|chapter|table|fig\w*|oid|[<>=~^!]=?)[\s\"'(:=]{0,4}$"
)
_HOSTS = re.compile(
    r"(?i)\b(?:ip|ips|ipv4|addr|address\w*|hosts?|hostname|server|dns|nameserver|ping|gateway|client|remote|peer|bind|listen|connect(?:s|ed|ing|ions?)?|ssh|inet|proxy)\b|_ip\b|\bip_|://"
)
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"})


def _public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _addresses(line: str) -> Iterator[Span]:
    for match in _V4.finditer(line):
        before = line[max(0, match.start() - 24) : match.start()]
        first, second, *rest = map(int, match[0].split("."))
        # Versions and sections are small; object identifiers (X.660) begin with an arc of 0 to 2 and one below 40.
        small = max(first, second, *rest) < 20 or (first < 3 and second < 40)
        is_version = bool(_VERSION.search(before)) and not (before.endswith(('"', "'")) and _HOSTS.search(line))
        if _public(match[0]) and not is_version and (not small or match[0] in _RESOLVERS or _HOSTS.search(line)):
            yield Span(*match.span(), "ip_address")
    for match in _V6.finditer(line):
        if _public(match[0]) and sum(map(bool, match[0].split(":"))) > 2:
            yield Span(*match.span(), "ip_address")


_CARD = re.compile(r"(?<![\w.+-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -]?)\d{6}\2\d{4,5})(?![\w-]|\.\d)")
_CARD_WORD = re.compile(
    r"(?i)\b(?:card|credit|visa|mastercard|amex|american.express|discover|cc|pan|cvv|kreditkarte)\b|card_?num|cardno"
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}"
)
"""Visa, Mastercard, American Express, Discover, Diners Club, JCB: issuers' prefixes and lengths (ISO/IEC 7812)."""
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_IBAN_LENGTHS = (
    "15:NO 16:BE 18:DK,FI,FK,FO,GL,NL,SD 19:MK,SI 20:AT,BA,EE,KZ,LT,LU,MN,XK 21:CH,HR,LI,LV "
    "22:BG,BH,CR,DE,GB,GE,IE,ME,RS,VA 23:AE,GI,IL,IQ,OM,SO,TL 24:AD,CZ,ES,MD,PK,RO,SA,SE,SK,TN,VG 25:LY,PT,ST "
    "26:IS,TR 27:BI,DJ,FR,GR,IT,MC,MR,SM 28:AL,AZ,BY,CY,DO,GT,HN,HU,LB,NI,PL,SV 29:BR,EG,PS,QA,UA "
    "30:JO,KW,MU,YE 31:MT,SC 32:LC 33:RU"
)
_IBAN_LENGTH = {
    country: int(length)
    for length, countries in (entry.split(":") for entry in _IBAN_LENGTHS.split())
    for country in countries.split(",")
}
"""Letters and digits of an IBAN by country (SWIFT's IBAN registry, ISO 13616)."""


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = sum(int(d) if n % 2 == 0 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(reversed(digits)))
    return total % 10 == 0


def iban(text: str) -> bool:
    """Its country's length, and ISO 7064 mod 97-10 over the rearranged digits."""
    if _IBAN_LENGTH.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _accounts(line: str) -> Iterator[Span]:
    for match in _CARD.finditer(line):
        digits = re.sub(r"\D", "", match[0])
        grouped = bool(match[1] or match[2])
        if (
            _ISSUERS.fullmatch(digits)
            and luhn(digits)
            and len(set(digits)) > 1
            and (grouped or _CARD_WORD.search(line))
        ):
            yield Span(*match.span(), "credit_card")
    for match in _IBAN.finditer(line):
        compact = match[0].replace(" ", "")
        length = _IBAN_LENGTH.get(compact[:2], 0)
        # In prose a capital word may follow: `DE89 3704 0044 0532 0130 00 BIC`.
        if iban(compact[:length]):
            end = next(n for n in range(len(match[0]) + 1) if len(match[0][:n].replace(" ", "")) == length)
            yield Span(match.start(), match.start() + end, "iban")


_SSH = re.compile(
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3}|sk-[a-z0-9-]+@openssh\.com) AAAA[0-9A-Za-z+/]{32,16000}={0,3}"
    r"(?: [^\s\"'`,<>\[\]]{1,100}@[^\s\"'`,<>\[\]]{1,100})?"
)


_DIGITS = re.compile(r"\d[\d ().\-/A-Z]{3}.*\d|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{3}", re.DOTALL)


def in_line(line: str) -> Iterator[Span]:
    """The personal data of one line, most certain first."""
    for match in _SSH.finditer(line) if " AAAA" in line else ():
        yield Span(*match.span(), "ssh_public_key")
    yield from _emails(line)
    if _DIGITS.search(line):
        yield from _accounts(line)
        yield from _addresses(line)
        yield from _phones(line)


BLOCK = ("BEGIN PGP PUBLIC KEY BLOCK",)
_PGP = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----(?:(?!-----)[\s\S]){40,200000}?"
    r"(?:-----END PGP PUBLIC KEY BLOCK-----|\Z)"
)


def in_text(text: str) -> Iterator[Span]:
    """PGP's public keys, which carry their owner's address; a header without a key behind it stays."""
    for match in _PGP.finditer(text):
        yield Span(*match.span(), "pgp_public_key")


WORTH = (
    r"[A-Za-z0-9_+\}-]@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2}",
    # Without \w and bounds, with which Rust's engine falls back to 15 MB/s.
    r"@[^ \n@]*[^\x00-\x7f]|[^\x00-\x7f][^ \n@]*@",
    r"[\[\({<]\s?(?:at|At|aT|AT|@)\s?[\]\)}>]",
    r"(?i) dot [a-z]",
    r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
    r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{3}",
    r"(?:\+|00)\(?[1-9][0-9 ().\-/]{5}",
    r"[2-9][0-9]{2}-[0-9]{4}",
    *(rf"(?i)(?:{word})[^0-9]{{0,20}}[0-9]" for word in ("fon", "phone", "fono", "tel", "mobil|cell", "fax", "handy")),
    r"(?i)(?:whatsapp|☎|📞|电话|電話)[^0-9]{0,20}[0-9]",
    r"[0-9]{4}[ -]?[0-9]{4,6}[ -]?[0-9]{4}",
    r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{3}",
    r"(?:ssh-|ecdsa-sha2-|@openssh.com )[^ ]* ?AAAA",
)
"""Rust expressions, one of which matches each line in which `in_line` finds something; without word borders, which
are Unicode's there and a hundred times slower."""


def redact(texts: pl.Series) -> Redacted:
    """The texts without personal data, and how many of each type each text held (see `redaction.Redacted`). Lines stay
    lines, only a PGP key becomes one."""
    return _redact(texts, block=BLOCK, in_text=in_text, worth=WORTH, in_line=in_line)
