"""Which two pictures make a clip, and why."""
