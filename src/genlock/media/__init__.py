"""Films: planning in whole frames, rendering in child processes, joining, checking."""
