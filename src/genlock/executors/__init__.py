"""What carries ready tasks to a process. Executors keep no state: the ledger does."""
