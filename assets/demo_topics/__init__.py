"""The texts of the demo dataset: one prose file and one module of fact tables per topic."""
