"""`python -m labsupport`: the command `labs` where its script is not on the PATH."""

from labsupport.cli.main import main

main()
