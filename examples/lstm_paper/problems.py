"""Every problem by name, in the order of the table. A new one is one file and one line here."""

from lstm_paper.adding import ADDING_100, ADDING_500, ADDING_1000
from lstm_paper.copy_memory import COPY_MEMORY
from lstm_paper.long_adding import ADDING_600
from lstm_paper.long_lags import NO_REGULARITY, NOISE_FREE
from lstm_paper.multiplication import COARSE, FINE
from lstm_paper.reber import EMBEDDED_REBER
from lstm_paper.temporal_order import THREE_SYMBOLS, TWO_SYMBOLS
from lstm_paper.two_sequences import TWO_SEQUENCES
from lstm_paper.very_long_lags import LAG_100, LAG_1000

PROBLEMS = {
    problem.name: problem
    for problem in (
        EMBEDDED_REBER,
        NOISE_FREE,
        NO_REGULARITY,
        LAG_100,
        LAG_1000,
        *TWO_SEQUENCES,
        ADDING_100,
        ADDING_500,
        ADDING_1000,
        COARSE,
        FINE,
        TWO_SYMBOLS,
        THREE_SYMBOLS,
        ADDING_600,
        COPY_MEMORY,
    )
}
QUICK = ("reber", "adding-100", "order-2")
