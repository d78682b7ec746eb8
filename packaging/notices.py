"""Writes the licence notices of all code in the binary, for the archive and the package.

    python3 packaging/notices.py TARGET > THIRD-PARTY-NOTICES

Takes every file that a crate has for its licence, also those of the C code inside it. A text that
several crates share is written once. Without such a file a crate is named with its licence and
its address. Fails if a crate names no licence at all.
"""

import json
import pathlib
import re
import subprocess
import sys

IS_NOTICE = re.compile(r"licen[cs]e|copying|notice|copyright", re.IGNORECASE)
# Folders with code that is not in the binary.
LEFT_OUT = {"benches", "doc", "docs", "examples", "fuzz", "test", "tests"}


def crates(target):
    """The packages that the binary is linked from, without our own, by name and version."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, to_see = set(), [metadata["resolve"]["root"]]
    while to_see:
        one = to_see.pop()
        if one not in found:
            found.add(one)
            linked = (dep for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
            to_see.extend(dep["pkg"] for dep in linked)
    others = (packages[one] for one in found if one not in metadata["workspace_members"])
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def notices(package):
    """The texts of a crate's licence files."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        is_text = path.suffix.lower() in {"", ".md", ".txt"} or path.stem.lower().startswith("licen")
        if path.is_file() and is_text and IS_NOTICE.search(path.name) and not LEFT_OUT & set(inside.parts[:-1]):
            yield path.read_text(encoding="utf-8", errors="replace").strip()


def main():
    packages = crates(sys.argv[1])
    texts = {}
    print("The program contains these crates, and the standard library of Rust (MIT OR Apache-2.0,")
    print("https://www.rust-lang.org). The texts of their licences follow.\n")
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not (package["license"] or package["license_file"]):
            sys.exit(f"{name} names no licence")
        print(f"{name}: {package['license'] or package['license_file']}, {package['repository'] or 'no address'}")
        for text in notices(package):
            texts.setdefault(re.sub(r"\s+", " ", text), (text, []))[1].append(name)
    for text, names in texts.values():
        print(f"\n{'-' * 100}\n{', '.join(dict.fromkeys(names))}\n\n{text}")


if __name__ == "__main__":
    main()
