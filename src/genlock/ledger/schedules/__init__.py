"""What is started by the clock: schedules, and each of their firings."""
