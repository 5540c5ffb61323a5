"""Docs are code: what can be set, called, heard or answered has its entry."""

import json
import re
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from enforcer import protocol
from enforcer.api import (
    admin,
    devices,
    forward_auth,
    logs,
    measure,
    openapi,
    overview,
    pages,
    seen,
    sessions,
    signals,
    site,
    stream,
    webhooks,
)
from enforcer.command.arguments import STATUSES, parsers
from enforcer.configuration.describing import NEED_RESTART, description
from enforcer.configuration.settings import SAMPLE_AUTHKEY, Settings, duration
from enforcer.domain.model import AuditEvent, EndReason
from enforcer.process.metrics import Metrics
from tests.running import ROOT

TROUBLESHOOTING = (ROOT / "docs/troubleshooting.md").read_text()
PROTOCOL = (ROOT / "docs/protocol.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
CLIENT_CODES = (ROOT / "client-js/src/codes.ts").read_text()
PARTS = (
    *(admin, sessions, logs, overview, stream, pages, devices, seen, forward_auth),
    *(signals, webhooks, site, measure, openapi),
)
ROUTES = [r for part in PARTS for r in part.ROUTES if isinstance(r, web.RouteDef)]


CONSOLE_FILES = ("/admin/", "/admin/console.js", "/admin/console.css", "/admin/icon.svg")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_has_an_entry(name: str) -> None:
    """A row in the table of settings and a member in the example."""
    assert re.search(rf"^\| `{name}` \|", CONFIGURATION, re.MULTILINE), f"docs/configuration.md lacks {name}"
    assert name in json.loads((ROOT / "config.json.example").read_text())


def test_the_example_and_the_documentation_have_no_other_settings() -> None:
    """What is described exists."""
    example = json.loads((ROOT / "config.json.example").read_text())
    assert example.keys() == Settings.model_fields.keys()
    assert set(re.findall(r"^\| `(\w+)` \|", CONFIGURATION, re.MULTILINE)) == set(Settings.model_fields)
    assert example["authkey"] == SAMPLE_AUTHKEY, "a server refuses to start with the example's key"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_default_is_the_settings_own(name: str) -> None:
    """What docs/configuration.md says, `enforcer help` says, and holds."""
    row = re.search(rf"^\| `{name}` \| (.*?) \|", CONFIGURATION, re.MULTILINE)
    assert row is not None
    told = description(name)
    if told["default"] is None:
        assert re.fullmatch("none(, needed)?|as `ipaddr`", row[1])
        return
    alike = duration if told["takes"] == "DURATION" else lambda value: value
    assert alike(json.loads(row[1].strip("`"))) == alike(told["default"])


def test_the_settings_that_need_a_restart_are_named() -> None:
    """Those, and no others."""
    manual = (ROOT / "docs/operations.md").read_text()
    listed = re.search(r"These settings\s+need a restart.*?:(.*?)\.\n", manual, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(NEED_RESTART)


def test_each_command_has_an_entry() -> None:
    """In docs/operations.md; and each but the server prints JSON if it is asked to."""
    manual = (ROOT / "docs/operations.md").read_text()
    for name, parser in parsers().items():
        if name not in ("", "serve"):
            assert re.search(rf"`enforcer {name}\b", manual), name
            assert "--json" in parser.format_help(), name


def test_each_exit_status_has_an_entry() -> None:
    """Those that `enforcer --help` names."""
    manual = (ROOT / "docs/operations.md").read_text()
    named = set(re.findall(r"\b(\d+),", STATUSES))
    assert named == {"0", "1", "2", "130", "141"}
    assert set(re.findall(r"^\| (\d+) \|", manual, re.MULTILINE)) == named


async def test_each_metric_has_an_entry() -> None:
    """A row in the table of metrics, with its labels; and what is described exists."""
    manual = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| (`(?:enforcer|process|python)_.*?) \|(.*?)\|", manual, re.MULTILINE)
    described = {
        name: set(re.findall(r"`(\w+)`", labels)) - {"worker"}
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert described == await _metrics()


async def test_incidents_name_what_there_is() -> None:
    """Metrics, lines of the log, words of the doctor, alerts and commands."""
    manual = (ROOT / "docs/incidents.md").read_text()
    assert len(re.findall(r"^## \d+\. ", manual, re.MULTILINE)) == 10
    named = set(re.findall(r"`(enforcer_\w+)`", manual))
    assert named
    assert named <= set(await _metrics())
    source = "".join(path.read_text() for path in (ROOT / "enforcer").rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    quoted = re.findall(r'`"([^`]+)"`', manual)
    assert len(quoted) > 15
    assert [words for words in quoted if words not in source] == []
    alerts = (ROOT / "deploy/prometheus/alerts.yaml").read_text()
    assert set(re.findall(r"`(Enforcer\w+)`", manual)) == set(re.findall(r"alert: (\w+)", alerts))
    assert set(re.findall(r"`enforcer ([a-z-]+)", manual)) <= set(parsers())


async def _metrics() -> dict[str, set[str]]:
    """The metrics of one process in which everything has happened, and their labels."""
    metrics = Metrics()
    metrics.answered("GET", "/", 200, 0.0)
    metrics.signals["idp", "ended"]
    metrics.webhook("app").stands(up=True, lag=0.0, dead=0)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await metrics.exposition()).decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = {label for sample in family.samples for label in sample.labels if label != "le"}
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_each_route_has_an_entry(route: web.RouteDef) -> None:
    """Calls by method and path; the files of the description's page and preflights go without."""
    if route.method == "OPTIONS" or route.path.startswith("/docs/") or route.path in CONSOLE_FILES:
        return
    assert f"`{route.method} {route.path}`" in PROTOCOL


@pytest.mark.parametrize("code", protocol.PROBLEMS)
def test_each_code_has_its_remedy(code: str) -> None:
    """In the page to which the error itself leads."""
    assert f"\n### {code}\n" in TROUBLESHOOTING


def test_each_line_of_the_console_has_its_remedy() -> None:
    """Every code that the client raises by itself."""
    sources = [path.read_text() for path in (ROOT / "client-js/src").glob("*.ts")]
    raised = {code for source in sources for code in re.findall(r'raise\("([\w-]+)"', source)}
    assert raised, "the client raises nothing: the pattern is wrong"
    assert [code for code in raised if f"`session-guard: {code}`" not in TROUBLESHOOTING] == []


@pytest.mark.parametrize("code", protocol.PROBLEMS)
def test_each_error_code_has_an_entry(code: str) -> None:
    """In the table of errors."""
    assert f"`{code}`" in PROTOCOL


@pytest.mark.parametrize("name", [*EndReason, *AuditEvent])
def test_each_reason_and_transition_has_an_entry(name: str) -> None:
    """Why sessions end and what the log tells."""
    assert f"`{name}`" in PROTOCOL


@pytest.mark.parametrize("event", [v for n, v in vars(protocol).items() if n.startswith("EVENT_")])
def test_each_event_has_an_entry(event: str) -> None:
    """In the table of events."""
    assert re.search(rf"^\| (to|from) the page \| `{event}` \|", PROTOCOL, re.MULTILINE)


def test_each_call_is_described() -> None:
    """The description has the routes of the API, no more and no less."""
    described = {(o.method.upper(), o.path) for o in openapi.OPERATIONS}
    # What is for browsers and proxies.
    apart = ("/docs", "/openapi.json", "/client/", "/forward-auth", "/admin", "/start.css")
    served = {
        (r.method, r.path) for r in ROUTES if r.method != "OPTIONS" and r.path != "/" and not r.path.startswith(apart)
    }
    assert described == served


@pytest.mark.parametrize("name", ["ENDING_CODES", "TICKET_CODES", "SETUP_CODES", "RETRY_CODES"])
def test_both_sides_know_the_same_codes(name: str) -> None:
    """What ends a page, what it retries: the browser client's sets are the server's."""
    found = re.search(rf"{name}\b[^=]*=[^\[]*\[([^\]]*)\]", CLIENT_CODES)
    assert found is not None, f"client-js/src/codes.ts has no {name}"
    assert set(re.findall(r'"([\w-]+)"', found.group(1))) == set(getattr(protocol, name))


def test_both_sides_know_the_same_reasons() -> None:
    """Why sessions end: the browser client's list is the server's."""
    found = re.search(r"END_REASONS\b[^=]*=[^\[]*\[([^\]]*)\]", CLIENT_CODES)
    assert found is not None
    assert re.findall(r'"([\w-]+)"', found.group(1)) == [str(reason) for reason in EndReason]


def client_source(name: str) -> str:
    """A file of the browser client."""
    return (ROOT / "client-js/src" / name).read_text()


def test_each_option_of_the_client_has_an_entry() -> None:
    """In docs/client.md, in the table of options; every attribute of the element with `data-` too."""
    manual = (ROOT / "docs/client.md").read_text()
    options = re.search(r"export interface SessionGuardOptions \{(.*?)^\}", client_source("types.ts"), re.S | re.M)
    assert options is not None
    names = re.findall(r"^  (\w+)\??:", options.group(1), re.M)
    assert len(names) > 20
    for name in names:
        assert re.search(rf"^\|.*`{name}\b", manual, re.M), f"docs/client.md lacks the option {name}"
    listed = re.search(r"ATTRIBUTES = \[(.*?)\]", client_source("element.ts"), re.S)
    assert listed is not None
    for name in re.findall(r'"([\w-]+)"', listed.group(1)):
        assert f"`data-{name}`" in manual, f"docs/client.md lacks the attribute data-{name}"


def test_each_event_and_method_of_the_client_has_an_entry() -> None:
    """In docs/client.md."""
    manual = (ROOT / "docs/client.md").read_text()
    for event in set(re.findall(r'"(session-guard:\w+)"', client_source("run.ts") + client_source("ending.ts"))):
        assert f"| `{event}` |" in manual
    guard = re.search(r"export interface SessionGuard \{(.*?)^\}", client_source("types.ts"), re.S | re.M)
    assert guard is not None
    for method in re.findall(r"readonly (\w+): \(", guard.group(1)):
        assert f"`{method}(" in manual


def test_the_site_has_every_page() -> None:
    """Each page of docs/ is where a reader of the site finds it."""
    site = (ROOT / "docs_site/mkdocs.yml").read_text()
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", site)) == pages | {"index.md"}


def test_links_between_the_documents_lead_somewhere() -> None:
    """Relative links and pictures exist."""
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_each_dependency_is_justified() -> None:
    """A line in docs/design.md for each."""
    design = (ROOT / "docs/design.md").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.S | re.M)
    assert listed is not None
    for name in re.findall(r'"([A-Za-z-]+)', listed.group(1)):
        assert name in design, f"docs/design.md does not say why {name}"


def test_the_documents_name_no_path_of_a_machine() -> None:
    """They are for readers elsewhere."""
    documents: list[Path] = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    for document in documents:
        assert not re.search(r"/(root|home)/\w", document.read_text()), document.name
