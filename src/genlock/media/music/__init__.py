"""Composing music for a film: from a mood and a seed to samples."""
