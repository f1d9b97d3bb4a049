"""The ABI generator: from the schema in kernel/abi to everything that knows the system calls.

`schema` says what a schema is, `parse` reads and validates it, the other modules write one kind of
output each, `generate` puts them together. `python -m pybuild.abi kernel/abi build/gen` runs it.
"""
