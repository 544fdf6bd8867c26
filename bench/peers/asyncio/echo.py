# Sends back what comes, until a datagram of 3 bytes does.
import asyncio
import time


class Echo(asyncio.DatagramProtocol):
    def __init__(self, done):
        self.done, self.echoed = done, 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if self.echoed == 0:
            self.start, self.cpu = time.monotonic(), time.process_time()
        if len(data) == 3:
            if not self.done.done():
                print(f"count={self.echoed} seconds={time.monotonic() - self.start:.6f} "
                      f"cpu={time.process_time() - self.cpu:.6f}")
                self.done.set_result(True)
            return
        self.echoed += 1
        self.transport.sendto(data, addr)


async def main():
    done = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Echo(done), local_addr=("127.0.0.1", 0))
    print(f"ready port={transport.get_extra_info('sockname')[1]}", flush=True)
    await done
    transport.close()


asyncio.run(main())
