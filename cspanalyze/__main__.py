"""`python -m cspanalyze`."""

from cspanalyze.cli import main

main()
