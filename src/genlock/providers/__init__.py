"""Vendors of generated video, music, speech and language, each behind `genlock.paid.Adapter`."""
