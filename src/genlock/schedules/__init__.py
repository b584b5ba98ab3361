"""Schedules: jobs that start by themselves, when it is time."""
