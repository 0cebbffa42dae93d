"""What only the office that issues a report knows: the parts of an official document by GB/T 9704-2012 beside title and text."""

import msgspec


class Official(msgspec.Struct, frozen=True, omit_defaults=True):
    """Empty parts are left out of the document: nothing is invented.

    `heading` stands in red on top (发文机关标志), `number` and `signer` below it, `addressees` below the title (主送机关), `issuer` at the end above
    the date (发文机关署名); `copies_to`, `printed_by` and `print_date` (YYYY-MM-DD) on the last page (版记). `address` is where people reach this
    collector's pages.
    """

    heading: str = ""
    issuer: str = ""
    number: str = ""
    signer: str = ""
    addressees: tuple[str, ...] = ()
    copies_to: tuple[str, ...] = ()
    printed_by: str = ""
    print_date: str = ""
    address: str = ""
    fingerprint: str = ""
    """SHA-256 (hex) of the public key by which the collector signs what goes up; "" where it has none."""
    test_servers: tuple[tuple[str, ...], ...] = ()
    """Name and place of each server that uplinks are tested against, and its host; months that version 0.2 closed have no hosts."""

    def of_month(self, year: int, month: int, issued_on: str) -> "Official":
        """The parts of one month's report: `{year}` and `{month}` of the number filled in; printed on the day of issue unless a later one is given."""
        return msgspec.structs.replace(
            self,
            number=number_of(self.number, year, month),
            print_date=max(self.print_date, issued_on) if self.printed_by else "",
        )


def number_of(template: str, year: int, month: int) -> str:
    """With `{year}` and `{month}` filled in."""
    return template.replace("{year}", str(year)).replace("{month}", str(month))
