"""The HTTP API: jobs asked for, watched and steered by programs."""
