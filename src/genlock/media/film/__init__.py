"""The film itself: planned in frames, drawn, encoded once, joined."""
