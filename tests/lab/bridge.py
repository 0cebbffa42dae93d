"""Let a program in a namespace reach one port of the host's loopback, and nothing else of the host.

`python -m tests.lab.bridge inside SOCKET PORT` runs in the namespace and listens on its loopback; `outside SOCKET PORT` runs on the host
and passes on to 127.0.0.1:PORT. Between them is a socket in the file system.
"""

import asyncio
import sys
from contextlib import suppress

CHUNK_BYTES = 65_536


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with suppress(ConnectionError, OSError):
        writer.write_eof()


async def main(side: str, path: str, port: int) -> None:
    """Serve for ever."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if side == "inside":
                there, back = await asyncio.open_unix_connection(path)
            else:
                there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, back), _copy(there, writer))
        for each in (writer, back):
            each.close()

    if side == "inside":
        server = await asyncio.start_server(meet, "127.0.0.1", port)
    else:
        server = await asyncio.start_unix_server(meet, path)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
