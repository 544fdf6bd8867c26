# Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS
import asyncio
import sys
import time

size, milliseconds = map(int, sys.argv[1:3])


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


class Counter(Echo):
    def __init__(self, done):
        self.done, self.rounds, self.deadline = done, 0, 0

    def datagram_received(self, data, addr):
        self.rounds += 1
        if self.rounds % 256 != 0 or time.monotonic() < self.deadline:
            self.transport.sendto(data, addr)
        else:
            self.done.set_result(True)


async def main():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    a, counter = await loop.create_datagram_endpoint(lambda: Counter(done), local_addr=("127.0.0.1", 0))
    b, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    start, cpu = time.monotonic(), time.process_time()
    counter.deadline = start + milliseconds / 1e3
    a.sendto(b"x" * size, b.get_extra_info("sockname"))
    await done
    print(f"count={counter.rounds} bytes={counter.rounds * size} seconds={time.monotonic() - start:.6f} "
          f"cpu={time.process_time() - cpu:.6f}")
    a.close()
    b.close()


asyncio.run(main())
