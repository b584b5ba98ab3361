"""The pipelines that come with genlock."""
