"""Words over a film: set in a typeface, laid over the frames while they are drawn."""
