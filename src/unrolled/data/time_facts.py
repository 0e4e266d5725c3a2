"""How a column of times was read, in words for people."""

from unrolled.data.time_forms import TimeForm
from unrolled.data.time_options import NUMBER

_SHOWN = 5  # series whose zones are named


def time_facts(form: TimeForm) -> dict[str, str]:
    """Return how the times of a model's data are read: their form, and their zone if they are dates and times.

    Args:
        form: the form that was learnt.

    Example:
        >>> time_facts(TimeForm("date", writing="31/01/2024", order="day"))
        {'times': 'dates, written as 31/01/2024, the day first'}
    """
    if form.kind == NUMBER:
        return {"times": "numbers"}
    kind = "dates" if form.kind == "date" else "dates and times"
    written = form.time_format or form.writing
    parts = [
        kind,
        f"written as {written}" if written else "",
        f"the {form.order} first" if form.order else "",
        f"months in {form.language}" if form.language else "",
        "the start of a span of time" if form.spans else "",
        f"numbers count {form.unit}" if form.unit else "",
    ]
    facts = {"times": ", ".join(filter(None, parts))}
    if form.zones:
        shown = ", ".join(f"{name}: {zone}" for name, zone in form.zones[:_SHOWN])
        more = len(form.zones) - _SHOWN
        return facts | {"zone": f"of each series: {shown}" + (f" and {more:,} more" if more > 0 else "")}
    return facts | ({"zone": form.zone or "none"} if form.kind == "datetime" else {})
