"""``python -m sakeff.cli``, where the script ``sakeff`` is not on the path."""

from sakeff.cli import main

main(prog_name="sakeff")
