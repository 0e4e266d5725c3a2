"""Export: a trained network as an ONNX graph, or as one NumPy file with its weights; state goes in and comes out."""
