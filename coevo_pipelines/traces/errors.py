"""The one error that a parser may raise."""


class ParseError(ValueError):
    """A body, or one item of it, cannot be read; the message says what was expected."""
