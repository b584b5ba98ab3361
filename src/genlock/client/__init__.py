"""What speaks to the process that owns a home, over its socket."""
