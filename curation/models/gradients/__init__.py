"""Gradients of single rows of a causal language model, for many rows in one backward pass.

`taps` hands out, layer by layer, what a layer read and the gradient at its output; `layers` makes of these a row's
gradient, its length, or its product with a fixed matrix; `directions` turns gradients into steps of Adam; `projections`
makes them short; `passes` runs over rows in batches.
"""
