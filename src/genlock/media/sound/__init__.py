"""Sound on its way into a film: read, levelled, encoded."""
