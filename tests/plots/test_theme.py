"""What all pictures share: readable colours, labels in lowered and raised digits, and matplotlib only when it draws."""

import subprocess
import sys

import pytest
from matplotlib.colors import to_rgb

from unrolled.errors import UnsupportedError
from unrolled.plots.theme import THEMES, new_figure, width_of, written

every = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def luminance(color):
    """W3C, Web Content Accessibility Guidelines 2.2, definition of relative luminance."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@every
def test_text_stands_out_from_the_background_and_from_tinted_boxes(theme):
    assert contrast(theme.ink, theme.background) > 7
    assert contrast(theme.muted, theme.background) > 4.5
    assert all(contrast(theme.ink, theme.tint(color, 0.22)) > 7 for color in theme.lines)
    assert contrast(theme.warning, theme.background) > 4.5


def seen_without(kind, color):
    """What a reader who lacks one kind of cones sees: F. Vienot et al., Color Research and Application 24 (1999)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    if kind == "protan":
        return 0.11238 * red + 0.88762 * green, 0.00401 * red - 0.00401 * green + blue
    return 0.29275 * red + 0.70725 * green, -0.02234 * red + 0.02234 * green + blue


@every
@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_the_lines_differ_for_colour_blind_readers(theme, kind):
    seen = [seen_without(kind, color) for color in theme.lines[:3]]
    for place, one in enumerate(seen):
        for other in seen[place + 1 :]:
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 0.09


@every
def test_nothing_is_the_colour_of_the_background(theme):
    assert to_rgb(theme.diverging(0.5)) == pytest.approx(to_rgb(theme.background), abs=0.01)
    assert to_rgb(theme.sequential(0.0)) == pytest.approx(to_rgb(theme.background))


@pytest.mark.parametrize(
    ("label", "shown"),
    [("s_0", "s₀"), ("U'^(2)", "U′⁽²⁾"), ("J = J_1 + ... + J_12", "J = J₁ + … + J₁₂"), ("GRU", "GRU")],
)
def test_labels_are_written_with_lowered_and_raised_digits(label, shown):
    assert written(label) == shown


def test_matplotlib_waits_until_something_is_drawn():
    modules = ", ".join(f"unrolled.plots.{name}" for name in ("unfolding", "states", "saliency", "training"))
    code = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("draw", [lambda: new_figure(1, 1, THEMES["light"]), lambda: width_of("a")])
def test_without_matplotlib_the_remedy_is_named(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match="pip install matplotlib"):
        draw()
