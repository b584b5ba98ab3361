"""Files, named by what is in them."""
