"""Whether a film is what was planned and can be published."""
