"""What texts are and what must not be in them: licences, secrets, personal data, quality, languages, paths.

Judging whether a document is in a corpus belongs to `deciding`.
"""
