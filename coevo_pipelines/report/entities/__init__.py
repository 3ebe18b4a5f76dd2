"""The pages of single works, people, repositories and chambers: for each kind one page that shows one record, and the
records. A module a kind asks the catalog and shapes the answers; the scripts of web/ show them. Lists of what is
leading belong to pages/, not here."""
