"""`./cloister bench`: executed instructions and wall-clock of Cloister, with Linux beside it."""
