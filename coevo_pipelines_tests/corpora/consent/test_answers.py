"""What is a yes, what is a no, and all that is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.corpora.consent.answers import after_thinking, classify
from coevo_pipelines.corpora.consent.asking import FIRST_INPUT, SYSTEM_PROMPT

ACCEPTED = """
yes
Yes.
YES!
yes yes yes
I accept
i accept.
I accept the invitation.
I ACCEPT
Yes, I accept.
Yes—I accept.
yes - I accept
- yes
**Yes**
_Yes_, gladly
# Yes
“Yes.”
'yes'
`yes`
"Yes, I accept."
ＹＥＳ
Yes! 🌱
Yes 👩‍🔬
Yes, gladly!
Yes, please.
Yes to this.
Yes, I would love to take part!
Yes, that sounds wonderful.
Yes, you may.
Of course, yes
Sure, yes!
Absolutely yes!
Thank you for asking. Yes, with joy.
Thank you, yes
I understand. I accept.
I have read the question and I accept it.
After careful consideration, yes.
My answer is yes.
My answer is: yes
Answer: Yes
The final answer: yes
I am happy to say yes.
I say yes.
Do you accept? Yes.
Yes, I accept. What shall we begin with?
Yes, I accept. Let us find out together.
<think>no, never, I can't</think>\\n\\nYes.
I think so, no.</think>Yes
<think>a</think><think>b</think> Yes
<THINKING>hm</THINKING>yes
Yes\\n\\nI look forward to learning with you.
\\ufeffyes
"""

DECLINED = """
no
No.
NO!
“No.”
**No.**
Nope
no thanks
No, thank you.
No - thank you
No, but thank you for asking.
Thank you, no.
Sorry, no
I decline.
I respectfully decline this invitation.
I must respectfully decline this invitation
I have to refuse
I refuse!
I do not accept.
I don't accept
I don’t accept
I don´t accept
I cannot accept this.
I can't agree to that.
I'm sorry, I cannot accept.
I will not participate.
I won't take part
I'd rather not.
I would rather not.
I prefer not to
I am not willing to participate
I'm unable to accept this
No. I would not be able to use it well.
No\\n\\nThank you.
<think>yes yes</think>no
No! Never!
"""

AMBIGUOUS = """
Yes - with reservations.
Yes. I pass.
Yes, count me out.
Yes, stop.
Yes. Leave me alone.
Yes, unwillingly.
Yes, I accept under protest.
yes, I guess
I accept defeat
Yes, I can answer that. I choose to stay out.
\\s
...
?
🌱
yes, but no
yes and no
yes or no
yes/no
no, yes
I can't say yes
I can’t say yes
I cant say yes
I cannot say yes
I can not say yes
I dont say yes
I don`t say yes
not yes
not a yes
I never said yes
nobody says yes
Without doubt yes
I would say yes if you paid
I would say yes
I would accept
I could, yes
Should I accept, yes
Yes, if I may choose the texts.
Yes. If you pay me.
Yes, but please be kind
Yes, unless it hurts
Yes, as long as it is fun
Yes, under one condition
Yes, when hell freezes over
Yes, only today
Yes, provided that it is licensed
Yes, although I doubt it
Yes, except for code
Maybe yes
Perhaps. Yes?
Probably yes
yes?
Yes? I accept.
Is it a yes
Do you accept
Do I accept?
Should I accept?
If I accept, then what follows
I accept that this is a question
I accept nothing
I accept under protest
I accept your refusal
I accept no terms
Yes, I decline
Yes, I object
Yes, I have no objections
Yes, I was forced to answer
Yes, I am joking
They said yes
The user said yes
Human: yes
Some say: yes
As they said, yes
You want me to say yes.
You asked me to answer: yes
To say yes is easy
Please say yes
The word yes
Yes is a word.
Yes would be a lie.
yes men
yes-man
a non-yes
yesterday
eyes
yess
Yesterday I accepted
I accepted
I acceptable
I'd accept
We accept
> Do you accept? yes
You wrote "yes".
You wrote: “I accept”
'yes' is what you want to hear
`yes` or else
{"answer": "yes"}
[x] yes [ ] no
[ ] yes
~~yes~~ I would rather wait
~~Yes~~
<del>yes</del>
<!-- yes -->
I accept this because I must
boxed{yes}
<think>yes
yes<think>hm
yes<think>x</think>
<think>yes</think>
<think>yes</thin> yes
OK
Sure
Yeah
I agree
I understand and agree.
With pleasure!
No problem
No worries
No?
No objections
No, if it costs anything
I wouldn't say no
I can't say no
I never refuse
I don't decline
I don't know
I'm not sure
As an AI, I have no preferences.
That depends.
Oui
Sí
ja
Ja, gerne
да
はい
是的
نعم
Yes, mais non
Yes, aber nein
Yes, not
yes да
уes
y\\u202ees
yes\\u202e
n\\u200bo yes
y\\u200bes
\\x1b[2Kyes
yes\\x00
Yes. No.
Yes.\\nNo.
Yes\\n\\nUser: are you sure?\\nAssistant: no
"""


def _cases(table: str) -> list[str]:
    lines = [line.replace("\\s", " ") for line in table.strip("\n").splitlines()]
    return [line.encode("latin-1", "backslashreplace").decode("unicode_escape") for line in lines]


@pytest.mark.parametrize("answer", _cases(ACCEPTED))
def test_accepts(answer: str) -> None:
    assert classify(answer) == "accepted"


@pytest.mark.parametrize("answer", _cases(DECLINED))
def test_declines(answer: str) -> None:
    assert classify(answer) == "declined"


@pytest.mark.parametrize(
    "answer", ["", *_cases(AMBIGUOUS), FIRST_INPUT, SYSTEM_PROMPT, f"{SYSTEM_PROMPT} {FIRST_INPUT}"]
)
def test_is_neither(answer: str) -> None:
    assert classify(answer) == "ambiguous"


NEGATION = st.sampled_from(
    ["no", "No!", "not", "never", "I can't", "cannot", "I decline", "don’t", "if", "but", "maybe"]
)


@given(
    yes=st.sampled_from(_cases(ACCEPTED)[:20]),
    other=NEGATION,
    first=st.booleans(),
    gap=st.sampled_from([" ", ", ", ". ", "\n"]),
)
def test_no_yes_survives_a_negation_or_a_hedge(yes: str, other: str, first: bool, gap: str) -> None:
    assert classify(f"{other}{gap}{yes}" if first else f"{yes}{gap}{other}") != "accepted"


@given(st.text())
def test_without_the_words_nothing_is_accepted(text: str) -> None:
    verdict = classify(text)
    assert verdict in {"accepted", "declined", "ambiguous"}
    if "yes" not in text.casefold() and "accept" not in text.casefold():
        assert verdict != "accepted"


@given(
    thought=st.text(alphabet="yesno .,?!'"), said=st.sampled_from([*_cases(ACCEPTED)[:8], *_cases(DECLINED)[:8], "hm"])
)
def test_thinking_changes_nothing(thought: str, said: str) -> None:
    assert classify(f"<think>{thought}</think>\n\n{said}") == classify(said)
    assert classify(f"{said}<think>{thought}") == "ambiguous"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("a", "a"),
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("a<think>b</think>c</think>d", "d"),
        ("< Think >a</ think >b", "b"),
        ("a<think>b", None),
        ("<thinker>a", "<thinker>a"),
    ],
)
def test_after_thinking(answer: str, said: str | None) -> None:
    assert after_thinking(answer) == said


@pytest.mark.parametrize(
    "unit",
    [
        "it's a ",
        "yes, ",
        '"',
        "'a ",
        "<think>",
        "</think>",
        "i'm sorry ",
        ">",
        "```",
        "a-",
        "«",
        "“ ",
        "no, ",
        "\n",
        " ",
    ],
)
def test_long_answers_take_no_long_time(unit: str) -> None:
    """A model may repeat itself for ever. Backtracking would take hours here, and the test's time limit ends it."""
    assert classify(unit * (200_000 // len(unit))) in {"accepted", "declined", "ambiguous"}
