# Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS
import asyncio
import sys
import time

size, milliseconds = map(int, sys.argv[1:3])

# As in turns.lua: the clock starts when the heap has its size.
WARM_ROUNDS, LOOK_EVERY = 30000, 256


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


class Counter(Echo):
    def __init__(self, done):
        self.done, self.rounds = done, -WARM_ROUNDS

    def is_last(self):
        if self.rounds == 0:
            self.start, self.cpu = time.monotonic(), time.process_time()
        if self.rounds <= 0 or self.rounds % LOOK_EVERY != 0:
            return False
        self.end = time.monotonic()
        return self.end - self.start >= milliseconds / 1e3

    def datagram_received(self, data, addr):
        self.rounds += 1
        if self.is_last():
            self.done.set_result(True)
        else:
            self.transport.sendto(data, addr)


async def main():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    a, counter = await loop.create_datagram_endpoint(lambda: Counter(done), local_addr=("127.0.0.1", 0))
    b, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    a.sendto(b"x" * size, b.get_extra_info("sockname"))
    await done
    print(f"count={counter.rounds} bytes={counter.rounds * size} seconds={counter.end - counter.start:.6f} "
          f"cpu={time.process_time() - counter.cpu:.6f}")
    a.close()
    b.close()


asyncio.run(main())
