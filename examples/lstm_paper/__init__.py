"""The experiments of the LSTM paper, and two later ones, reproduced: `python -m lstm_paper --help`."""
