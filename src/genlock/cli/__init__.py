"""The command line. Modules here import heavy things only inside functions, so `--help` stays quick."""

from genlock import collector

collector.spare()  # before the imports, which it is about
