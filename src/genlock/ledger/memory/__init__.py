"""A ledger in memory, easy to believe: what the others are held against, and tests of pipelines run on."""
