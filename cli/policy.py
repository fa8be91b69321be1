"""`kobert policy`: the rules of boards in a running service, set from the command line or from files."""

import json
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cli.client import ServiceClient
from cli.options import STRICTNESS, Threshold, service_options
from cli.service_group import ServiceGroup
from cli.tables import fit, printable, table, terminal_cells
from cli.word_lists import add_entries, read_word_list
from shared.errors import KobertError, ServiceRefusedError

_NOT_FOUND = 404
_RULES = ("strictness", "thresholds", "labels", "deny", "allow", "mask")
MATCHES = ("word", "part")
EXIT_NOT_FOUND = 1
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.group(cls=ServiceGroup)
@service_options
def policy(**_address: str | None) -> None:
    """Give each board its own strictness, thresholds, denied and allowed words."""


@policy.command("list")
@click.pass_obj
def list_policies(client: ServiceClient) -> None:
    """All policies, by name."""
    header = ("NAME", "VERSION", "STRICTNESS", "DENY", "ALLOW", "CHANGED", "BY")
    rows = [
        (
            head["name"],
            str(head["version"]),
            head["strictness"] or "-",
            str(head["counts"]["deny"]),
            str(head["counts"]["allow"]),
            f"{datetime.fromtimestamp(head['updated_at']):%Y-%m-%d %H:%M}",  # noqa: DTZ006  the user's own clock
            head["updated_by"],
        )
        for head in client.get("/policies")["data"]
    ]
    for line in table(header, rows, frozenset((1, 3, 4))):
        click.echo(line)


@policy.command()
@click.argument("name")
@click.option("--hits", is_flag=True, help="How often each entry fired, instead.")
@click.pass_obj
def show(client: ServiceClient, name: str, *, hits: bool) -> None:
    """One policy as JSON, which `set --file` takes back."""
    if not hits:
        click.echo(json.dumps(client.get(_path(name)), ensure_ascii=False, indent=1))
        return
    entries = client.get(f"{_path(name)}/hits")["data"]
    rows = [(str(entry["hits"]), entry["list"], entry["term"]) for entry in entries]
    for line in table(("HITS", "LIST", "TERM"), rows, frozenset((0,))):
        click.echo(line)


@policy.command("set")
@click.argument("name")
@click.option("--file", "-f", "file", type=_FILE, help="The whole policy, as JSON or TOML; - for JSON from a pipe.")
@click.option("--strictness", type=click.Choice(STRICTNESS), help="How readily a text is flagged.")
@click.option("--threshold", "thresholds", multiple=True, type=Threshold(), help="curse=0.6; several times.")
@click.option("--label", "labels", multiple=True, help="A label that may count; several times.")
@click.option("--deny", multiple=True, help="A term to deny beside those there are; several times.")
@click.option("--deny-label", help="The label of the --deny terms.")
@click.option("--allow", multiple=True, help="A term to allow beside those there are; several times.")
@click.option("--match", type=click.Choice(MATCHES), help="How the --deny and --allow terms are found.")
@click.option("--remove", multiple=True, help="A term to take off both lists; several times.")
@click.pass_obj
def set_policy(client: ServiceClient, /, name: str, file: Path | None, **changes: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Make the policy NAME, or change what is said and leave the rest of it."""
    rules, version = ({}, None) if file is not None else _current(client, name)
    rules = _read_rules(file) if file is not None else rules
    for field in ("strictness", "labels"):
        if changes[field]:
            rules[field] = changes[field]
    if changes["thresholds"]:
        rules["thresholds"] = {**(rules.get("thresholds") or {}), **dict(changes["thresholds"])}
    removed = set(changes["remove"])
    for kind in ("deny", "allow"):
        rules[kind] = [entry for entry in rules.get(kind) or [] if _term_of(entry) not in removed]
        label = changes["deny_label"] if kind == "deny" else None
        add_entries(rules[kind], [_entry(term, label, changes["match"]) for term in changes[kind]])
    _put(client, name, rules, version)


@policy.command()
@click.argument("name")
@click.pass_obj
def delete(client: ServiceClient, name: str) -> None:
    """Delete the policy NAME. Jobs that began with it go on with it."""
    client.delete(_path(name))
    click.echo(f"deleted {printable(name)}")


@policy.command()
@click.argument("name")
@click.argument("texts", nargs=-1, required=True)
@click.pass_obj
def test(client: ServiceClient, name: str, texts: tuple[str, ...]) -> None:
    """Judge TEXTS by the policy NAME, and say which entries fire."""
    results = client.post("/predict", {"texts": list(texts), "policy": name, "details": True})["results"]
    header = ("VERDICT", "SCORE", "FIRED", "TEXT")
    for line in table(header, [_tested(result) for result in results], frozenset((1,))):
        click.echo(fit(line, terminal_cells()) if sys.stdout.isatty() else line)


@policy.command("import")
@click.argument("name")
@click.argument("file", type=_FILE)
@click.option("--list", "kind", type=click.Choice(("deny", "allow")), default="deny", show_default=True,
              help="The list to add to, where the file does not say.")  # fmt: skip
@click.option("--label", help="The label of the denied terms, where the file does not say.")
@click.option("--match", type=click.Choice(MATCHES), help="How the terms are found, where the file does not say.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.pass_obj
def import_words(client: ServiceClient, /, name: str, file: Path, **options: Any) -> None:  # noqa: ANN401  as above
    """Add the words of FILE to the policy NAME: one a line or with commas, or a csv with a column `term`.

    A csv may have the columns `list`, `label` and `match` too. Lines that begin with # are comments.
    """
    words = read_word_list(file, options["encoding"])
    rules, version = _current(client, name)
    added = 0
    for kind in ("deny", "allow"):
        entries = [
            _entry(
                word.term, (word.label or options["label"]) if kind == "deny" else None, word.match or options["match"]
            )
            for word in words
            if (word.kind or options["kind"]) == kind
        ]
        rules[kind] = list(rules.get(kind) or [])
        added += add_entries(rules[kind], entries)
    _put(client, name, rules, version)
    click.echo(f"{added:,} of {len(words):,} words are new", err=True)


def _current(client: ServiceClient, name: str) -> tuple[dict[str, Any], int | None]:
    """The rules that there are, and their version; 0 where there is no such policy yet."""
    try:
        shown = client.get(_path(name))
    except ServiceRefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        return {}, 0
    return {field: shown[field] for field in _RULES}, shown["version"]


def _put(client: ServiceClient, name: str, rules: dict[str, Any], version: int | None) -> None:
    conditions = {0: {"If-None-Match": "*"}, None: {}}.get(version, {"If-Match": f'"{version}"'})
    stored = client.put(_path(name), rules, conditions)
    counts = stored["counts"]
    terms = f"{counts['deny']:,} denied and {counts['allow']:,} allowed terms"
    click.echo(f"{printable(name)}: version {stored['version']}, {terms}")


def _read_rules(file: Path) -> dict[str, Any]:
    """The rules in a file; what `show` adds to them is left out by the service."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        text = raw.decode("utf-8-sig")
        rules = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise KobertError(f"{click.format_filename(file)} is not a policy in JSON or TOML: {error}") from error
    if not isinstance(rules, dict):
        raise KobertError(f'{click.format_filename(file)} must hold an object such as {{"deny": ["멍청이"]}}')
    return rules


def _entry(term: str, label: str | None, match: str | None) -> dict[str, str]:
    given = {"term": term, "label": label, "match": match}
    return {field: value for field, value in given.items() if value is not None}


def _term_of(entry: Any) -> str:  # noqa: ANN401  JSON
    return str(entry.get("term")) if isinstance(entry, dict) else str(entry)


def _tested(result: Any) -> tuple[str, str, str, str]:  # noqa: ANN401  JSON
    if "error" in result:
        return "error", "", "", result["error"]["message"]
    fired = ", ".join(f"{match['list']} {match['term']}" for match in result["matches"]) or "-"
    return result["classification"], f"{result['confidence']:.3f}", fired, result["text"]


def _path(name: str) -> str:
    return f"/policies/{quote(name, safe='')}"
