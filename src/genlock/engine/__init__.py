"""Declares pipelines, runs jobs."""
