// Sends without callbacks, 256 at a turn of the loop. Arguments: PORT SIZE MILLISECONDS [PEERS]
// PEERS: to so many addresses in turn, 127.0.0.1 and on. A turn waits until the queue is empty, as a program has to.
const socket = require('node:dgram').createSocket('udp4')

const [port, size, milliseconds, peers = 1] = process.argv.slice(2).map(Number)
const payload = Buffer.alloc(size, 'x')
const addresses = Array.from({ length: peers }, (_, i) => `127.0.0.${i + 1}`)
let sent = 0, next = 0
const cpu = process.cpuUsage(), start = process.hrtime.bigint()
const deadline = start + BigInt(milliseconds) * 1000000n

function turn() {
  const queued = socket.getSendQueueCount?.() ?? 0
  if (queued === 0 && process.hrtime.bigint() >= deadline) {
    const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
    console.log(`count=${sent} bytes=${sent * size} seconds=${seconds} cpu=${(used.user + used.system) / 1e6}`)
    socket.close()
    return
  }
  if (queued === 0) {
    for (let i = 0; i < 256; i++) {
      socket.send(payload, port, addresses[next])
      next = next + 1 < peers ? next + 1 : 0
    }
    sent += 256
  }
  setImmediate(turn)
}

socket.bind(0, turn)
