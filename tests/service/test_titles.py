"""What a page is called: first that something is to be corrected, for whoever hears titles."""

from __future__ import annotations

import re


def title(answer):
    return re.search(r"<title>(.*?)</title>", answer.text)[1].replace("\xa0", " ")


def test_a_form_that_comes_back_says_so_in_its_title(browser_of):
    browser = browser_of("administrator")
    typed = {"csrf": browser.csrf, "name": "", "email": "zoe@", "role": "reader"}
    wrong = browser.post("/people", data=typed)
    assert wrong.status_code == 422
    assert title(wrong) == "À corriger : Personnes — Témoin"
    assert title(browser.get("/people")) == "Personnes — Témoin"


def test_a_page_that_is_not_there_is_nothing_to_correct(browser_of):
    assert "corriger" not in title(browser_of("reader").get("/nowhere"))
