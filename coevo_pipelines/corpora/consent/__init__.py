"""A model is asked, a person signs: records, their chain and checks, how an answer is read. No corpus is made here."""
