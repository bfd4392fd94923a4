"""The page in headless Chromium, if there is one: no error, all pictures, no wider than a phone."""

import re
import shutil
import subprocess

import pytest

_LOOK = """<script>addEventListener("load", () => {
  const broken = [...document.images].filter((one) => !one.naturalWidth).length
  const charts = [...document.querySelectorAll("svg")].filter((one) => {
    const box = one.getBoundingClientRect()
    return box.width && !box.height })
  const page = document.documentElement
  parent.postMessage({beyond: page.scrollWidth - page.clientWidth,
    images: document.images.length, broken, flat: charts.length}, "*")
})</script>"""

_FRAME = """<!DOCTYPE html>
<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>addEventListener("message", (event) => {{
  document.body.dataset.seen = JSON.stringify(event.data) }})</script>"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_all_of_it_at_any_width_without_an_error(page, tmp_path, width):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("no chromium is installed")
    # the page itself has no scripts: one that looks at it is let in
    text = page[0].replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (tmp_path / "page.html").write_text(text.replace("</body>", _LOOK + "</body>"), "utf-8")
    (tmp_path / "frame.html").write_text(_FRAME.format(width=width))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900"]
    done = subprocess.run(
        [browser, *options, "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    images = page[0].count("<img ")
    seen = f'"beyond":0,"images":{images},"broken":0,"flat":0'.replace('"', "&quot;")
    assert f'data-seen="{{{seen}}}"' in done.stdout
