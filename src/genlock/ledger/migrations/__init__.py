"""How older ledgers become newer ones, one revision a file."""
