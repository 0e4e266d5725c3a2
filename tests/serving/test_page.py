"""The page in a browser, as a person would use it: type, write, forecast, ask, unfold, light and dark, with keys alone.

Screenshots go to the folder that UNROLLED_SCREENSHOTS names, to be looked at.
"""

import os
from pathlib import Path

import pytest

from serving.chromium import PROGRAM, Browser
from serving.process import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")]


@pytest.fixture
def pictures(tmp_path):
    return Path(os.environ.get("UNROLLED_SCREENSHOTS", tmp_path / "pictures"))


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "profile") as made:
        yield made
        assert made.errors == []
        assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:")) for url in made.asked), made.asked


def count(browser, selector):
    return browser.run(f"document.querySelectorAll('{selector}').length")


def text_of(browser, selector):
    return browser.run(f"document.querySelector('{selector}').textContent")


def test_type_and_watch_it_write(language, browser, pictures, tmp_path):
    with Server(language.save(tmp_path / "letters")) as server:
        browser.open(server.address + "/")
        browser.wait("document.querySelectorAll('#expected li').length > 0")  # the text so far was read
        browser.run("document.getElementById('prompt').focus(); document.getElementById('prompt').value = ''")
        browser.type("abca")
        browser.wait("document.getElementById('heat').getAttribute('aria-valuemax') === '4'")
        browser.run("document.getElementById('seed').value = 3; document.getElementById('length').value = 30")
        browser.press("Enter", modifiers=2)  # Ctrl+Enter writes
        browser.wait("/^30 tokens.* s$/.test(document.getElementById('progress').textContent)")
        assert text_of(browser, "#written") == "abca" + language.generate("abca", 30, 0.8, seed=3)
        assert browser.run("document.getElementById('heat').getAttribute('aria-valuemax')") == "34"
        browser.run("document.getElementById('heat').focus()")
        browser.press("Home")
        browser.press("ArrowRight")
        assert browser.run("document.getElementById('heat').getAttribute('aria-valuetext')") == "step 2 of 34, b"
        assert count(browser, "#units span") == 8
        assert count(browser, "#expected li") > 0
        browser.photograph(pictures / "write-light.png")
        browser.run("document.getElementById('length').value = 5000; document.getElementById('go').click()")
        browser.wait("!document.getElementById('stop').disabled")
        browser.run("document.getElementById('stop').click()")
        browser.wait("document.getElementById('progress').textContent.endsWith('stopped')")
        browser.open(server.address + "/", width=420, dark=True)
        browser.wait("document.querySelectorAll('#expected li').length > 0")
        assert browser.run("document.documentElement.dataset.theme") == "dark"
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        browser.photograph(pictures / "write-dark-narrow.png")


def test_a_csv_file_becomes_a_chart_and_a_table(forecaster, browser, pictures, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("t,y\n" + "".join(f"{step},{(step % 8) / 4}\n" for step in range(100)))
    with Server(forecaster.save(tmp_path / "waves")) as server:
        browser.open(server.address + "/")
        browser.wait("document.getElementById('tab-forecast')")
        browser.choose("#csv", rows)
        browser.wait("document.querySelectorAll('#rows tbody tr').length === 4")
        assert "(forecast)" in text_of(browser, "#reading")
        browser.run("document.getElementById('chart').focus()")
        browser.press("ArrowLeft")
        assert text_of(browser, "#reading") == "99: 0.75 (history)"
        browser.photograph(pictures / "forecast-light.png")
        wrong = tmp_path / "wrong.csv"
        wrong.write_text("t\n1\n")
        browser.choose("#csv", wrong)
        browser.wait("!document.getElementById('alert').hidden")
        assert "y" in text_of(browser, "#alert")
        browser.errors.clear()  # the browser itself notes the refused request


def test_a_record_is_answered_and_the_network_unfolded(classifier, browser, pictures, tmp_path):
    with Server(classifier.save(tmp_path / "kinds")) as server:
        browser.open(server.address + "/")
        browser.wait("document.getElementById('field-text')")
        browser.run("document.getElementById('field-text').focus()")
        browser.type("abababab")
        browser.press("Tab")
        browser.run("document.activeElement.click()")
        browser.wait("document.querySelectorAll('#shares li').length === 2")
        assert text_of(browser, "#answer") == classifier.predict([{"text": "abababab"}])[0]
        browser.photograph(pictures / "ask-light.png")
        browser.run("document.getElementById('tab-ask').focus()")
        browser.press("ArrowRight")
        browser.run("document.getElementById('seen-text').focus()")
        assert browser.run("document.activeElement.id") == "seen-text"
        browser.type("abab")
        browser.run("document.querySelector('#look button').click()")
        browser.wait("[...document.querySelectorAll('#pictures img')].filter(one => one.naturalWidth).length === 4")
        assert "gradient" in text_of(browser, "#verdict")
        browser.size(1200, 2400)
        browser.photograph(pictures / "unfold-light.png")
        browser.run("document.getElementById('theme').click(); document.getElementById('theme').click()")
        browser.wait("document.getElementById('pictures').dataset.theme === 'dark'")
        browser.wait("[...document.querySelectorAll('#pictures img')].filter(one => one.naturalWidth).length === 4")
        browser.photograph(pictures / "unfold-dark.png")


def test_a_token_is_asked_for_once(classifier, browser, tmp_path):
    (tmp_path / "token").write_text("hush\n")
    with Server(classifier.save(tmp_path / "kinds"), "--token-file", str(tmp_path / "token")) as server:
        server.client.headers["Authorization"] = "Bearer hush"
        browser.open(server.address + "/")
        browser.wait("!document.getElementById('door').hidden")
        browser.run("document.getElementById('token').focus()")
        browser.type("wrong")
        browser.press("Enter")
        browser.wait("!document.getElementById('alert').hidden")
        browser.run("document.getElementById('token').value = ''")
        browser.type("hush")
        browser.press("Enter")
        browser.wait("document.getElementById('tab-ask')")
        assert browser.run("document.getElementById('door').hidden")
        browser.errors.clear()  # the browser itself notes the refused requests
