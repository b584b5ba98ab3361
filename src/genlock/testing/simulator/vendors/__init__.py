"""The vendors, one a file, each written from its own documents."""
