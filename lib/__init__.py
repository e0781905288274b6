"""Superposition and alignment: metrics, theory and simulations for comparing networks that share features.

One topic a module; import from the module (`from lib.geometry import linear_cka`). Tensors in, tensors out, on any
device. Shapes are written with the units last: `y: (..., stimuli, units)`, where `...` are batch dimensions.
"""
