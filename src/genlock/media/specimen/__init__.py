"""Small real films and sounds, the same for the same request: what the provider simulator hands out."""
