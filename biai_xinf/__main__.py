"""`python -m biai_xinf` is `biai-xinf`."""

from biai_xinf.cli import main

main()
