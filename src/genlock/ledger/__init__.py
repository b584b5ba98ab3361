"""What has happened and what may happen next, in a database: the only place where state changes."""
