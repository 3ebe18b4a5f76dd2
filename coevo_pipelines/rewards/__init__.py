"""Dividing a pool among the people behind the works: eligibility, policies, exact apportionment, receipts, escrow,
the reward ledger, explanations and payout exports. Scores come from `influence/`, claims and opt-outs from `traces/`;
nothing here asks a service, but for the webhook that posts a receipt set once."""
