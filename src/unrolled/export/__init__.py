"""Export of trained networks to ONNX, or to one NumPy file with weights; the state is an input and an output."""
