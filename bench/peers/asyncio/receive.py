# Receives until a datagram of 3 bytes comes. Keeps the last sender's address.
import asyncio
import socket
import time


class Receiver(asyncio.DatagramProtocol):
    def __init__(self, done):
        self.done, self.received, self.bytes, self.last = done, 0, 0, None

    def datagram_received(self, data, addr):
        if self.received == 0:
            self.start, self.cpu = time.monotonic(), time.process_time()
        if len(data) == 3:
            if not self.done.done():
                print(f"count={self.received} bytes={self.bytes} seconds={time.monotonic() - self.start:.6f} "
                      f"cpu={time.process_time() - self.cpu:.6f} from={self.last and self.last[1]}")
                self.done.set_result(True)
            return
        self.received += 1
        self.bytes += len(data)
        self.last = addr


async def main():
    done = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Receiver(done), local_addr=("127.0.0.1", 0))
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    buffer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    print(f"ready port={sock.getsockname()[1]} buffer={buffer}", flush=True)
    await done
    transport.close()


asyncio.run(main())
