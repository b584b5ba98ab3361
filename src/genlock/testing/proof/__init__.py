"""The proof by killing: a pipeline dies at every commit and every request it sends, and must lose nothing.

What is killed are real processes, with SIGKILL; what charges is a real server (`genlock.testing.simulator`).
"""
