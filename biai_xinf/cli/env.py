"""`biai-xinf env`: BIAI's own settings, so that it asks the endpoint where it asked Ollama."""

from __future__ import annotations

import codecs
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import click

from biai_xinf import kept
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json
from biai_xinf.compose_override import MARK, compose_override, read_compose, stays_of
from biai_xinf.credentials import from_environment
from biai_xinf.endpoint import is_loopback
from biai_xinf.envfile import settings_of, with_settings
from biai_xinf.errors import AuthFailed, BadFile, XinferenceError
from biai_xinf.reach import endpoint_of

# The name that is no model but what BIAI does with it: SQL goes to the `sql` model, prose to the narrator.
_ANY_MODEL = "biai:latest"
_OVERRIDE = "docker-compose.override.yml"
# Where Compose finds one of these, it reads no `docker-compose.override.yml`.
_READ_INSTEAD = ("compose.override.yml", "compose.override.yaml")
# In the order in which Compose looks for them.
_BASES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
# BIAI takes these, and does nothing with them (its commit 117dd86).
_IDLE = ("CHROMA_HOST", "CHROMA_COLLECTION")
_SECRET_IN_ADDRESS = re.compile(r"(/ollama/k/)[^\s'\"]+|(://[^\s/@:]*:)\S+(?=@)")


@dataclass(frozen=True)
class _File:
    """A file as it is and as it should be; one that is `ours` nobody needs a copy of."""

    path: Path
    before: bytes | None
    after: bytes
    secret: bool = False
    ours: bool = False

    @property
    def changes(self) -> bool:
        return self.before != self.after

    @property
    def diff(self) -> str:
        return _SECRET_IN_ADDRESS.sub(r"\1\2***", kept.diff(self.path.name, self.before, self.after))


@click.command("env")
@click.option(
    "--file", "env_file", default=".env", show_default=True, type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH", help="The settings of BIAI.",
)  # fmt: skip
@click.option("--model", metavar="TAG", help="OLLAMA_MODEL; what the file says otherwise, `biai:latest` if nothing.")
@click.option("--with-key", is_flag=True, help="Put BIAI_XINF_API_KEY into OLLAMA_HOST: a secret in the file.")
@click.option(
    "--compose", is_flag=False, flag_value=_OVERRIDE, type=click.Path(dir_okay=False, path_type=Path), metavar="[PATH]",
    help=f"Write a Compose file that puts the endpoint in the place of `ollama`, too.  [PATH: {_OVERRIDE}]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def command(
    endpoint: str | None,
    env_file: Path,
    model: str | None,
    with_key: bool,
    compose: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write BIAI's settings, so that it asks this endpoint where it asked Ollama, unchanged.

    Only OLLAMA_HOST and OLLAMA_MODEL are set; every other line stays as it is, and the file as it was is kept once
    beside it. A second run writes nothing.
    """
    url = endpoint_of(endpoint)
    asks = _asks_for_login(endpoint)
    files = [_env(env_file, url, model, with_key)]
    if compose is not None:
        files.append(_compose(compose, url, with_key=bool(asks) or with_key))
    remarks = _remarks(files[0], url, asks, with_key, compose, dry_run)
    for file in files:
        if file.changes and not as_json:
            show(file.diff)
        if file.changes and not dry_run:
            backup = kept.replace(file.path, file.after, back_up=not file.ours, secret=file.secret)
            say(f"{file.path} is written" + (f"; as it was, it is kept in {backup.name}" if backup else ""))
        elif not file.changes:
            say(f"{file.path} says so already; nothing was written")
    if dry_run and any(file.changes for file in files):
        say("nothing was written")
    for remark in remarks:
        say(f"note: {remark}")
    if as_json:
        done = [{"path": str(f.path), "changes": f.changes, "written": f.changes and not dry_run} for f in files]
        show_json({"endpoint": url, "files": done})


def _env(path: Path, url: str, model: str | None, with_key: bool) -> _File:
    before = kept.read(path)
    if before is not None and before.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadFile(f"{path}: is UTF-16, and BIAI reads UTF-8", hint="save it as UTF-8")
    key = _key() if with_key else None
    settings = {"OLLAMA_HOST": f"{url}/ollama/k/{key}" if key else url}
    if model or not settings_of(before or b"").get("OLLAMA_MODEL"):
        settings["OLLAMA_MODEL"] = model or _ANY_MODEL
    try:
        after = with_settings(before or b"", settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return _File(path, before, after, secret=with_key)


def _key() -> str:
    credentials = from_environment()
    if credentials is None or credentials.api_key is None:
        hint = "`biai-xinf init --key-for FILE` makes one that may ask the models of a cluster file"
        raise AuthFailed("`--with-key` takes the key from BIAI_XINF_API_KEY, which is not set", hint=hint)
    return quote(credentials.api_key, safe="")


def _compose(path: Path, url: str, *, with_key: bool) -> _File:
    before = kept.read(path)
    if before is not None and not before.startswith(MARK.encode()):
        hint = "`--compose OTHER.yml` writes beside it: `docker compose -f docker-compose.yml -f OTHER.yml up`"
        raise BadFile(f"{path}: is there, and not ours to write over", hint=hint)
    return _File(path, before, compose_override(url, with_key=with_key).encode(), ours=True)


def _asks_for_login(endpoint: str | None) -> bool | None:
    """None where nothing answers yet."""
    try:
        with connect(endpoint) as client:
            return client.auth_enabled()
    except XinferenceError:
        return None


def _remarks(env: _File, url: str, asks: bool | None, with_key: bool, compose: Path | None, dry_run: bool) -> list[str]:
    remarks = []
    if asks is None:
        remarks.append(f"nothing answers at {url} yet")
    if with_key:
        holds = "would hold a secret" if dry_run else "holds a secret now"
        remarks.append(f"{env.path} {holds}, the key in OLLAMA_HOST: keep it out of version control")
    elif asks:
        remarks.append(f"{url} asks for a login, which BIAI cannot send; `--with-key` puts a key into the address")
    if compose and (asks or with_key):
        remarks.append("Compose takes the key from the variable BIAI_XINF_API_KEY, not from its file")
    if compose and is_loopback(url) and sys.platform == "linux":
        remarks.append(
            f"on Linux no container reaches {url}: run `biai-xinf supervisor` on an address that containers reach"
        )
    if compose:
        remarks += [*_read_instead(compose), *_stays(compose)]
    if env.after.startswith(codecs.BOM_UTF8):
        remarks.append(
            f"{env.path} begins with a byte order mark, behind which python-dotenv before 1.2.3 reads no setting"
        )
    idle = [key for key in _IDLE if settings_of(env.after).get(key)]
    if idle:
        remarks.append(f"{' and '.join(idle)} {'has' if len(idle) == 1 else 'have'} no effect in BIAI")
    return remarks


def _read_instead(override: Path) -> list[str]:
    found = [name for name in _READ_INSTEAD if override.name == _OVERRIDE and override.with_name(name).exists()]
    return [f"Compose reads {found[0]} instead of {override.name}: name both with `-f`"] if found else []


def _stays(override: Path) -> list[str]:
    bases = [override.with_name(name) for name in _BASES]
    path, content = next(((base, found) for base in bases if (found := kept.read(base)) is not None), (None, b""))
    if path is None:
        return []
    try:
        stays = ", ".join(f"`{key}`" for key in stays_of(read_compose(content)))
    except ValueError as error:
        return [f"{path} {error}"]
    return [f"{stays} of `ollama` in {path.name} would hold for the proxy too: take it out there"] if stays else []
