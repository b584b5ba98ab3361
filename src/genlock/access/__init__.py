"""Who may use the service: signing in, limits, answers given once, and the audit."""
