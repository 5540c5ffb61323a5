"""Whether everybody can use a page, as far as a program can tell."""

from typing import Any

from playwright.async_api import Page

from tests.running import ROOT

AXE = ROOT / "client-js" / "node_modules" / "axe-core" / "axe.min.js"


async def violations(page: Page) -> list[str]:
    """What axe-core finds wrong by WCAG 2.2 A and AA, in shadow roots too."""
    await page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: list[dict[str, Any]] = await page.evaluate(
        "tags => axe.run(document, {runOnly: tags}).then(({violations}) => violations)", tags
    )
    return [f"{v['id']}: {[n['html'] for n in v['nodes']]}" for v in found]
