"""The experiments of the LSTM paper, and two later ones, run anew: `python -m lstm_paper --help`."""
