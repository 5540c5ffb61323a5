"""What the site has besides docs/: the README as first page, files that the pages lead to, the reference of the API."""

import re
from pathlib import Path
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "enforcer/static/docs"
LOADED = re.compile(
    r"<(?:script|img|iframe|source|link(?![^>]*canonical))\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)"
)
LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)")
API = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Enforcer · HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="api/swagger-ui.css">
<link rel="stylesheet" href="api/docs.css">
<script src="api/swagger-ui.js" defer></script>
<script src="api/api.js" defer></script>
<nav><a href="index.html">Enforcer</a> · <a href="api/openapi.json">openapi.json</a> · at /docs of a server the calls
can be tried</nav>
<main id="operations"></main>
</html>
"""
SHOW = """SwaggerUIBundle({ dom_id: "#operations", spec: %s, deepLinking: true, supportedSubmitMethods: [] });
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the first page, the reference, and each file outside docs/ that a page leads to, as text."""
    described = (ROOT / "build/openapi.json").read_text()
    made = {
        "index.md": _front(),
        "api.html": API,
        "api/openapi.json": described,
        "api/api.js": SHOW % described,
        **{f"api/{name}": (STATIC / name).read_text() for name in ("swagger-ui.js", "swagger-ui.css", "docs.css")},
    }
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    for page in [f for f in files if f.src_uri.endswith(".md")]:
        for target, _ in LINK.findall(page.content_string):
            outside = _outside(page.src_uri, target)
            name = None if outside is None else _shown(outside)
            if name is not None and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(ROOT / outside)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that lead out of docs/ lead to the copies; those to directories are words."""
    up = "../" * page.file.src_uri.count("/")

    def link(found: re.Match[str]) -> str:
        outside = _outside(page.file.src_uri, found[1])
        if outside is None:
            return found[0]
        name = _shown(outside)
        return "]()" if name is None else f"]({up}{name})"

    made = LINK.sub(link, markdown)
    return re.sub(r"\[([^\]]*)\]\(\)", r"\1", made)


def on_post_build(config: MkDocsConfig) -> None:
    """Nobody else learns who reads this: what a page loads is in the site.

    Raises:
        PluginError: something is not.
    """
    for page in Path(config.site_dir).rglob("*.html"):
        if found := LOADED.search(page.read_text()):
            raise PluginError(f"{page.name} loads {found[1]}")


def _front() -> str:
    """The README, seen from docs/."""
    text = (ROOT / "README.md").read_text()
    return LINK.sub(lambda m: f"]({normpath('../' + m[1]).removeprefix('../docs/')}{m[2] or ''})", text)


def _outside(page: str, target: str) -> str | None:
    """The path of a file of the repository that is not in docs/, as a page of docs/ names it."""
    path = normpath(f"docs/{page}/../{target}")
    return None if path.startswith("docs/") or target.startswith("/") else path


def _shown(path: str) -> str | None:
    """Where the copy of such a file is in the site; None if it is a directory."""
    return f"files/{path}.txt" if (ROOT / path).is_file() else None
