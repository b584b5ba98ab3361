"""Opening any photograph safely."""
