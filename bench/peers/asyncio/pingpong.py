# Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS
import asyncio
import sys
import time

size, milliseconds = map(int, sys.argv[1:3])

# As in turns.lua: the clock starts when the heap has its size.
WARM_ROUNDS, WARM_TIME, LOOK_EVERY = 30000, 3, 256


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


class Counter(Echo):
    def __init__(self, done):
        self.done, self.rounds, self.start, self.warm = done, 0, None, None

    def is_last(self):
        now, length = time.monotonic(), milliseconds / 1e3
        if self.start is not None:
            return now - self.start >= length
        self.warm = self.warm or now + WARM_TIME * length
        if self.rounds >= WARM_ROUNDS or now >= self.warm:
            self.rounds, self.start, self.cpu = 0, now, time.process_time()
        return False

    def datagram_received(self, data, addr):
        self.rounds += 1
        if self.rounds % LOOK_EVERY != 0 or not self.is_last():
            self.transport.sendto(data, addr)
        else:
            self.done.set_result(True)


async def main():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    a, counter = await loop.create_datagram_endpoint(lambda: Counter(done), local_addr=("127.0.0.1", 0))
    b, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    a.sendto(b"x" * size, b.get_extra_info("sockname"))
    await done
    print(f"count={counter.rounds} bytes={counter.rounds * size} seconds={time.monotonic() - counter.start:.6f} "
          f"cpu={time.process_time() - counter.cpu:.6f}")
    a.close()
    b.close()


asyncio.run(main())
