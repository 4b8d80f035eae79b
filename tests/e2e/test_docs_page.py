"""The page at /docs in a real browser: read the contract, sign up, authorise, post a photo."""

import json
import os
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER) and not os.environ.get("CI"),
    reason="no Chromium: apt-get install chromium chromium-driver, to test the page at /docs",
)
SAMPLE = Path(__file__).parents[2] / "docs" / "sample-meal.jpg"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,2000",
)
PATIENCE = 60
"""Seconds a page may take on a busy machine."""


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


class Page:
    """What a person does with the page."""

    def __init__(self, browser, url):
        self._browser = browser
        browser.get(f"{url}/docs")

    def see(self, selector, within=None):
        """The element, once it is there and can be seen."""

        def shown(_):
            found = (within or self._browser).find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)

        return WebDriverWait(self._browser, PATIENCE).until(shown, f"nothing like {selector}")

    def click(self, selector, within=None):
        element = self.see(selector, within)
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def open(self, operation):
        """Unfold an operation."""
        self.click(f"#operations-{operation} .opblock-summary-control")
        return self.see(f"#operations-{operation} .opblock-body")

    def execute(self, block):
        """Send the request; the status and the JSON that are shown."""
        self.click(".execute", block)
        answer = self.see(".live-responses-table .response", block)
        status = self.see(".response-col_status", answer).text.split()[0]
        return int(status), json.loads(self.see(".highlight-code pre", answer).text)

    def sign_up(self):
        block = self.open("accounts-signUp")
        body = self.see("textarea", block)
        body.send_keys(Keys.CONTROL, "a")
        body.send_keys('{"email": "bea@example.org", "password": "correct horse"}')
        return self.execute(block)

    def authorise(self, token):
        self.click(".auth-wrapper .authorize")
        self.see(".auth-container input").send_keys(token)
        self.click(".auth-btn-wrapper .authorize")
        self.click(".auth-btn-wrapper .btn-done")

    def post_photo(self, path):
        block = self.open("meals-predict")
        self.see("input[type=file]", block).send_keys(str(path))
        return self.execute(block)

    def history(self):
        return self.execute(self.open("meals-history"))


@pytest.mark.timeout(300)
def test_one_signs_up_authorises_posts_a_photo_and_sees_the_meal(server, browser):
    page = Page(browser, server.url)
    status, session = page.sign_up()
    assert status == 201
    assert session["user"]["email"] == "bea@example.org"

    page.authorise(session["token"])
    status, meal = page.post_photo(SAMPLE)
    assert status == 200, meal
    assert meal["stored"] is True
    assert meal["user_id"] == session["user"]["id"]
    assert meal["metadata"]["model"] == "Sample photo"

    status, history = page.history()
    assert status == 200
    assert [(item["id"], item["food"]) for item in history["items"]] == [(meal["id"], meal["food"])]

    complaints = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == [], "something broke the policy, or failed"
    assert {url for url in requested(browser) if not url.startswith(f"{server.url}/")} == set()


def requested(browser):
    """Every address on a network that the browser asked for."""
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if url.startswith(("http:", "https:", "ws:", "wss:")):
                yield url
