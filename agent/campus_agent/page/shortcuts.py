"""What opens a classroom's staying page by itself: a shortcut each, a script for a county's management of Windows, a sheet of QR codes. Pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from campus_agent.config.model import Endpoint
from campus_agent.page.view import card, cards_page
from campus_base.language import Language

_SCRIPT = """\
# Put as a start-up script into a group policy (Computer Configuration, Windows Settings, Scripts), or run once as administrator.
# It gives each panel the shortcut of its own classroom, by the panel's address. Whoever can read this file has the keys in it.
$urls = @{{
{rows}
}}
$addresses = (Get-NetIPAddress -AddressFamily IPv4).IPAddress
foreach ($address in $addresses) {{
  if ($urls.ContainsKey($address)) {{
    $startup = [Environment]::GetFolderPath('CommonStartup')
    Set-Content -Path (Join-Path $startup 'CampusMeter.url') -Encoding Ascii -Value "[InternetShortcut]`r`nURL=$($urls[$address])"
  }}
}}
"""


def stay_url(gateway_url: str, room: str, key: str) -> str:
    """The address of a classroom's staying page; classrooms' ids and keys need no escaping, but are escaped."""
    return f"{gateway_url.rstrip('/')}/stay?room={quote(room, safe='')}&key={quote(key, safe='')}"


def shortcut_files(
    rooms: Sequence[Endpoint], keys: Mapping[str, str], gateway_url: str, language: Language
) -> dict[str, str]:
    """The files by name, of those classrooms whose key is here."""
    urls = {room.id: stay_url(gateway_url, room.id, keys[room.id]) for room in rooms if room.id in keys}
    chosen = [room for room in rooms if room.id in urls]
    files = {f"{room.id}.url": f"[InternetShortcut]\r\nURL={urls[room.id]}\r\n" for room in chosen}
    # the address is what the inventory has: letters that end a PowerShell string are none of a host's
    rows = "\n".join(f"  '{room.host}' = '{urls[room.id]}'" for room in chosen)
    files["startup.ps1"] = _SCRIPT.format(rows=rows)
    files["codes.html"] = cards_page([card(room.name, urls[room.id], language) for room in chosen], language)
    return files
