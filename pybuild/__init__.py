"""Build, images, machines and checks of Cloister; `python -m pybuild` is the command line."""
