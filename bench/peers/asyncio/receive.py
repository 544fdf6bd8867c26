# Receives until a datagram of 3 bytes comes, and tells how late they came (as in ../latency.lua). Argument: ANSWER, one in so
# many is answered (none). Keeps the last sender's address.
import asyncio
import socket
import sys
import time

EVERY = 13
answer = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 62


def percentiles(late):
    late.sort()
    return " ".join(f"p{p}={late[(len(late) - 1) * p // 100]:.2f}" for p in (50, 90, 99)) if late else ""


class Receiver(asyncio.DatagramProtocol):
    def __init__(self, done):
        self.done, self.received, self.bytes, self.last, self.late = done, 0, 0, None, []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if self.received == 0:
            self.start, self.cpu = time.monotonic(), time.process_time()
        if len(data) == 3:
            if not self.done.done():
                print(f"count={self.received} bytes={self.bytes} seconds={time.monotonic() - self.start:.6f} "
                      f"cpu={time.process_time() - self.cpu:.6f} from={self.last and self.last[1]} {percentiles(self.late)}")
                self.done.set_result(True)
            return
        self.received += 1
        self.bytes += len(data)
        self.last = addr
        if self.received % EVERY == 0 and data[:1] == b"0":
            self.late.append((time.monotonic_ns() - int(data[:16])) / 1e3)
        if self.received % answer == 0:
            self.transport.sendto(data, addr)


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
