"""Import and export of users as CSV (spreadsheets) or JSON (programs). An import adds all of them or none."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import on_networks
from bridge.lib.files import write_new
from bridge.model.people import Identity, Proof
from bridge.users import Role, User, UsersError
from bridge.users import identities as parse
from bridge.users.passwords import is_hash

_COLUMNS = ("name", "role", "matrix", "irc", "irc_mask", "puppet", "password_hash")
_PUPPET = {"on": True, "off": False, True: True, False: False}
_KINDS = {"matrix": parse.matrix, "irc": parse.irc, "irc_mask": parse.irc_mask}
_LARGEST = 64 << 20
"""Largest file in bytes: a million users."""
_FORMAT = click.option("--format", "shape", type=click.Choice(["csv", "json"]), help="Default: by the file's name.")


@click.command("import-users")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@_FORMAT
@click.option("--update", is_flag=True, help="Replace users who exist already; without it they are an error.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def import_users(office: Office, file: Path, shape: str | None, update: bool, dry_run: bool) -> Answer:
    """Add the users of FILE (- is standard input): all of them, or none and an error that names the place.

    CSV has the columns name, role, matrix, irc, irc_mask, with blanks between several identities, and puppet (on, off);
    JSON is what `export-users` or `users --json` writes. Passwords are given as hashes only (password_hash).
    """
    found = [*_users(_read(file), _shape(file, shape), office)]
    known = {parse.same_name(user.name): user for user in office.users.list()}
    fresh = [user for user in found if parse.same_name(user.name) not in known]
    again = [_kept(user, known[parse.same_name(user.name)]) for user in found if parse.same_name(user.name) in known]
    if again and not update:
        names = ", ".join(user.name for user in again[:10])
        raise UsersError(f"{len(again)} of {len(found)} are users already ({names}): say --update to replace them")
    if dry_run:
        _rehearse(office, found)
        words = f"would add {len(fresh)} and replace {len(again)} users; nothing was changed"
        return Answer(
            {"would_add": [user.name for user in fresh], "would_replace": [user.name for user in again]}, words
        )
    office.users.put(*fresh, *again)
    return done(f"added {len(fresh)} and replaced {len(again)} users", added=len(fresh), replaced=len(again))


@click.command("export-users")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False), default="-")
@_FORMAT
@click.option(
    "--with-passwords", is_flag=True, help="Include password hashes: keep the file as private as the database."
)
@click.pass_obj
def export_users(office: Office, file: Path, shape: str | None, with_passwords: bool) -> Answer:
    """Write all users into FILE (- is standard output), in the format of `import-users`. FILE must not exist yet."""
    rows = [_row(user, with_passwords=with_passwords) for user in office.users.list()]
    text = _as_json(rows) if _shape(file, shape) == "json" else _as_csv(rows)
    if str(file) == "-":
        return Answer(rows, text.rstrip("\n"))
    try:
        write_new(file, text.encode())
    except FileExistsError as error:
        raise click.UsageError(f"{file}: the file exists already") from error
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be written: {error.strerror}") from error
    return done(f"wrote {len(rows)} users into {file}", users=len(rows), file=str(file))


def _users(text: str, shape: str, office: Office) -> Iterator[User]:
    rows = _from_json(text) if shape == "json" else _from_csv(text)
    for place, row in rows:
        try:
            user = _user(row)
            on_networks(office, user.identities)
        except (UsersError, ValueError, TypeError, KeyError, AttributeError, click.UsageError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise UsersError(f"{place}: {reason}; nothing was changed") from error
        yield user


def _from_csv(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    columns = reader.fieldnames or ()
    if "name" not in columns or not set(columns) <= set(_COLUMNS):
        raise UsersError(f"line 1: the columns are {', '.join(_COLUMNS)}; name is required; nothing was changed")
    try:
        for row in reader:
            if None in row or None in row.values():
                raise UsersError(f"line {reader.line_num}: must have {len(columns)} columns; nothing was changed")
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise UsersError(f"line {reader.line_num}: {error}; nothing was changed") from error


def _from_json(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsersError(f"this is not JSON: {error}; nothing was changed") from error
    if not isinstance(found, list):
        raise UsersError("the JSON is not an array of users; nothing was changed")
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise UsersError(f"user {number} is not an object; nothing was changed")
        yield f"user {number}", row


def _user(row: Mapping[str, Any]) -> User:
    identities = [
        Identity(Proof(one["kind"]), one.get("network") or "", one["value"]) for one in row.get("identities", ())
    ]
    for column, make in _KINDS.items():
        identities += map(make, (row.get(column) or "").split())
    password = row.get("password_hash") or None
    if password is not None and not is_hash(password):
        raise ValueError("password_hash is not an Argon2id hash; give passwords with `set-password`")
    name = parse.new_name(row["name"])
    role, known = Role(row.get("role") or Role.MEMBER), parse.distinct(map(parse.checked, identities))
    puppet = row.get("puppet")
    if puppet not in (None, "", *_PUPPET):
        raise ValueError(f"puppet is on or off, not {puppet!r}")
    return User(name, role, known, password, puppet=_PUPPET.get(puppet, True))


def _kept(user: User, before: User) -> User:
    """`user`, with their old password if the file gives none, without a puppet if they want none, and with their
    accounts on IRC."""
    password, puppet = user.password or before.password, user.puppet and before.puppet
    return replace(user, password=password, puppet=puppet, logins=before.logins)


def _rehearse(office: Office, found: Sequence[User]) -> None:
    """Raises UsersError if `found` could not be imported."""
    from bridge.users.index import Index

    names = {parse.same_name(user.name) for user in found}
    Index([*(user for user in office.users.list() if parse.same_name(user.name) not in names), *found])


def _row(user: User, *, with_passwords: bool) -> dict[str, str]:
    row = {"name": user.name, "role": str(user.role), "matrix": "", "irc": "", "irc_mask": ""}
    row["puppet"] = "on" if user.puppet else "off"
    for column in _KINDS:
        kind = Proof(column.replace("_", "-"))
        row[column] = " ".join(str(one) for one in user.identities if one.kind is kind)
    return row | ({"password_hash": user.password or ""} if with_passwords else {})


def _as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, [*rows[0]] if rows else _COLUMNS[:-1], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _as_json(rows: Sequence[Mapping[str, str]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def _shape(file: Path, shape: str | None) -> str:
    return shape or ("json" if file.suffix == ".json" else "csv")


def _read(file: Path) -> str:
    try:
        if str(file) == "-" and sys.stdin is None:
            raise click.UsageError("standard input is closed: pipe the users into the command")
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
            content = source.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise click.UsageError(f"{file}: larger than {_LARGEST} bytes: is this the right file?")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file}: this is not UTF-8 text") from error
