"""How a scrape can stop without being wrong itself."""


class SourceDown(Exception):
    """No usable answer after all retries; the message names the host, the reason and the way out."""


class Spent(SourceDown):
    """Nothing more may be asked for now; the message says why and when it goes on."""


class Incomplete(Exception):
    """The source answered, but not as asked (refused, contradicted itself); the scrape stops here."""
