# Sends without callbacks (asyncio has none), 256 at a turn of the loop. Arguments: PORT SIZE MILLISECONDS [PEERS]
# PEERS: to so many addresses in turn, 127.0.0.1 and on.
import asyncio
import sys
import time

port, size, milliseconds = map(int, sys.argv[1:4])
peers = int(sys.argv[4]) if len(sys.argv) > 4 else 1


async def main():
    payload, sent = b"x" * size, 0
    addresses = [(f"127.0.0.{i + 1}", port) for i in range(peers)]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("0.0.0.0", 0))
    start, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < start + milliseconds / 1e3:
        for _ in range(256):
            transport.sendto(payload, addresses[sent % peers])
            sent += 1
        await asyncio.sleep(0)
    print(f"count={sent} bytes={sent * size} seconds={time.monotonic() - start:.6f} "
          f"cpu={time.process_time() - cpu:.6f}")
    transport.close()


asyncio.run(main())
