"""Words of the project as types: rows, artifacts, methods, errors. Imports numpy, pyarrow and pydantic only."""
