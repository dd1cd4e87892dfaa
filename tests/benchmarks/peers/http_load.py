"""Callers of an HTTP server, each waiting for its answer before it asks again.

Arguments: port, callers, seconds to warm up, seconds to measure; bodies, one a line, on standard
input. Prints {"per_second", "p50_ms", "p99_ms"}.
"""

import asyncio
import json
import sys
import time


async def caller(port: int, bodies: list[bytes], number: int, end: float, ended: list) -> None:
    """Ask until `end` over one connection that is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < end:
        body = bodies[number % len(bodies)]
        number += 1
        head = f"POST /inference HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status, *lines = answer.decode().lower().split("\r\n")
        if " 200 " not in status:
            raise RuntimeError(status)
        headers = dict(line.split(": ", 1) for line in lines if line)
        await reader.readexactly(int(headers["content-length"]))
        ended.append((began, time.perf_counter()))
    writer.close()


async def main() -> None:
    port, callers, warm_up, seconds = (float(each) for each in sys.argv[1:])
    bodies = sys.stdin.buffer.read().splitlines()
    ended: list[tuple[float, float]] = []
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    await asyncio.gather(
        *(caller(int(port), bodies, k * 7, end, ended) for k in range(int(callers)))
    )
    measured = sorted(stop - start for start, stop in ended if start >= begin)
    answered = sum(begin <= stop <= end for _, stop in ended)
    print(
        json.dumps(
            {
                "per_second": answered / seconds,
                "p50_ms": measured[len(measured) // 2] * 1e3,
                "p99_ms": measured[int(len(measured) * 0.99)] * 1e3,
            }
        )
    )


asyncio.run(main())
