"""Modules: unroll, stacks, input layers and output objects."""
