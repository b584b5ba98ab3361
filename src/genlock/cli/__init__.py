"""The command line. Modules here import heavy things only inside functions, so `--help` stays quick."""
