"""The lecture's networks in plain NumPy, with back-propagation through time written out by hand.

Made to be read in class, and used as a reference by the tests. It handles one sequence at a time, is not fast, and
every line can be checked by hand.

    the simple network   s_t = tanh(W s_{t-1} + U x_t)      y_t = V s_t                      rnn.py
    its loss             J = sum_t J_t                      J_t = -log softmax(y_t)[true]    loss.py
    its gradient         dJ_i/dW = sum_k (dJ_i/ds_i) (ds_i/ds_k) (d+ s_k/dW)                 rnn.py
    learning             W <- W - a dJ/dW                   gradients are summed over time
    remedy 1             keep the gradient's norm in a band                                  clipping.py
    remedy 2             look only at the last k steps: `bptt_steps`
    remedy 3             the LSTM, whose state is (h_t, cell_t)                              lstm.py

States are numbered as on the board: s_0 is the state before the first input, x_t leads from s_{t-1} to
s_t. Python counts inputs from 0, so x_t is `inputs[t - 1]`.
"""

from unrolled.textbook.clipping import clip_to_band
from unrolled.textbook.loss import cross_entropy, softmax
from unrolled.textbook.lstm import LSTM, Moment, Network
from unrolled.textbook.rnn import RNN, Gradients

__all__ = ["LSTM", "RNN", "Gradients", "Moment", "Network", "clip_to_band", "cross_entropy", "softmax"]
