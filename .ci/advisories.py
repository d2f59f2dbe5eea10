#!/usr/bin/env python3
"""Writes `.ci/advisories.toml`: what RustSec's advisory database says of the packages of Cargo.lock.

    git clone https://github.com/rustsec/advisory-db
    python3 .ci/advisories.py advisory-db

The tests read it (`tests/cli/dependencies.rs`), so that the check needs no network. To be run again when a package is
added, and now and then.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ["id", "package", "date", "informational", "url", "license"]


def git(clone, *arguments):
    return subprocess.run(["git", "-C", clone, *arguments], check=True, capture_output=True, text=True).stdout


def title(text):
    return next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), "")


def main():
    clone = sys.argv[1]
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    names = sorted({package["name"] for package in lock["package"] if "source" in package})
    commit, date = git(clone, "log", "-1", "--format=%H %cs").split()
    quoted = json.dumps  # The strings of JSON are strings of TOML.
    lines = [
        "# RustSec's advisory database (https://github.com/rustsec/advisory-db), without its texts, as far as it is "
        "about",
        "# the packages of Cargo.lock. Dedicated to the public domain (CC0-1.0), but for advisories with a `license`, "
        "which",
        "# are those of `url`. Written by .ci/advisories.py.",
        "",
        f"commit = {quoted(commit)}",
        f"date = {quoted(date)}",
        "packages = [",
    ]
    lines += [f"    {quoted(name)}," for name in names] + ["]"]
    known = set(git(clone, "ls-tree", "-d", "--name-only", "HEAD", "crates/").split())
    for name in names:
        if f"crates/{name}" not in known:
            continue
        for path in git(clone, "ls-tree", "--name-only", "HEAD", f"crates/{name}/").split():
            head, _, text = git(clone, "show", f"HEAD:{path}").removeprefix("```toml\n").partition("\n```")
            found = tomllib.loads(head)
            advisory, versions = found["advisory"], found["versions"]
            if advisory.get("withdrawn"):
                continue
            lines += ["", "[[advisory]]", *(f"{key} = {quoted(advisory[key])}" for key in KEPT if key in advisory)]
            lines += [f"title = {quoted(title(text), ensure_ascii=False)}"]
            lines += [f"{key} = {quoted(versions.get(key, []))}" for key in ("patched", "unaffected")]
    (ROOT / ".ci/advisories.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
