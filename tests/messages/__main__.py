"""Bring the catalogues up to date; see `catalogues`."""

from tests.messages.catalogues import PACKAGES, update

if __name__ == "__main__":
    missing = {package: update(package) for package in PACKAGES}
    for package, count in missing.items():
        print(f"{package}: {count} without Chinese")
