"""TokenHead: probabilities of the next token, from the vocabulary or copied from the source."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax, logsigmoid

from unrolled.errors import OptionError, message
from unrolled.nn.heads import IGNORED

TINY = 1e-30  # lower bound of a copy probability, so that its logarithm is finite


class TokenHead(nn.Module):
    """Log-probabilities of tokens: a softmax over the vocabulary and, with `copy`, over the places of the source.

    A copied token is a vocabulary index, or V + k for the k-th word of its source that is not in the vocabulary.
    With g = sigmoid(hidden): p(token) = g softmax(token) + (1 - g) (attention on the places that hold the token).

    Args:
        size: size of the vocabulary, V.
        readout_size: width of a read-out, D.
        hidden_size: width of the input of the choice between writing and copying.
        tied: use the decoder's embedding, passed at each call, as the last linear layer's weight.
        copy: whether source words can be copied.
        label_smoothing: share of the probability spread over the vocabulary in the loss; not with `copy`.

    Raises:
        OptionError: label smoothing outside [0, 1), or with copying.

    Sources: copying: A. See, P. Liu and C. Manning, "Get To The Point: Summarization with Pointer-Generator
    Networks", ACL 2017, section 2.2; tying: O. Press and L. Wolf, "Using the Output Embedding to Improve Language
    Models", EACL 2017, section 2.
    """

    def __init__(
        self,
        size: int,
        readout_size: int,
        hidden_size: int,
        tied: bool = True,
        copy: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise OptionError(message("label_smoothing", expected="a number in [0, 1)", received=label_smoothing))
        if copy and label_smoothing:
            raise OptionError(
                message(
                    "label_smoothing", expected="0 with copy, whose answers are no softmax", received=label_smoothing
                )
            )
        self.size, self.label_smoothing = size, label_smoothing
        self.weight = None if tied else nn.Parameter(nn.Linear(readout_size, size, bias=False).weight.detach())
        self.bias = nn.Parameter(torch.zeros(size))
        self.switch = nn.Linear(hidden_size, 1) if copy else None

    def words(self, readout: Tensor, embedding: Tensor) -> Tensor:
        """Compute log-probabilities of the vocabulary alone, (M, V)."""
        logits = linear(readout, embedding if self.weight is None else self.weight, self.bias)
        return log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), 1)

    def forward(
        self,
        readout: Tensor,
        hidden: Tensor,
        embedding: Tensor,
        weights: Tensor | None = None,
        places: Tensor | None = None,
        further: int = 0,
    ) -> Tensor:
        """Compute log-probabilities of all tokens, (M, V + further).

        Args:
            readout: (M, D).
            hidden: (M, hidden_size).
            embedding: the decoder's, (V, D).
            weights: attention on the places of each row's source, (M, S); with copying.
            places: the token at each of them, (M, S); with copying.
            further: largest number of words in a source that are not in the vocabulary.
        """
        words = self.words(readout, embedding)  # (M, V)
        if self.switch is None or weights is None or places is None:
            return words
        choice = self.switch(hidden).to(words.dtype)  # (M, 1)
        copied = words.new_zeros(words.shape[0], self.size + further)
        copied = copied.scatter_add(1, places, weights.to(words.dtype))  # (M, V + further)
        written = torch.nn.functional.pad(words + logsigmoid(choice), (0, further), value=-torch.inf)
        return torch.logaddexp(written, copied.clamp(min=TINY).log() + logsigmoid(-choice))

    def loss(
        self,
        readout: Tensor,
        hidden: Tensor,
        embedding: Tensor,
        targets: Tensor,
        weights: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Compute the nats of each row's target, (M,); 0 where the target is `IGNORED`."""
        words = self.words(readout, embedding)  # (M, V)
        known = targets != IGNORED
        index = targets.masked_fill(~known | (targets >= self.size), 0)[:, None]
        chosen = words.gather(1, index).squeeze(1)  # (M,)
        if self.switch is None or weights is None or places is None:
            smooth = self.label_smoothing
            costs = -(1 - smooth) * chosen - (smooth * words.mean(1) if smooth else 0)
            return costs * known
        choice = self.switch(hidden).squeeze(1).to(words.dtype)  # (M,)
        copied = (weights.to(words.dtype) * (places == targets[:, None])).sum(1).clamp(min=TINY).log()
        written = (chosen + logsigmoid(choice)).masked_fill(targets >= self.size, -torch.inf)
        return -torch.logaddexp(written, copied + logsigmoid(-choice)) * known
