"""What says that numbers are the sample's, wherever they show."""

SAMPLE_NOTE = (
    "This is the bundled sample: real works, dates and references; stars, topics of repositories, OpenAlex ids, "
    "all Hugging Face entries and who claims what are composed, the money is play money "
    "(coevo_pipelines/sample/facts/PROVENANCE.md)."
)
