"""Who may use the service: users, their tokens, answers given already, and who did what."""
