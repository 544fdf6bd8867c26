// Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS [IDLE]
// IDLE: so many sockets more, bound and listening, to which nothing comes.
const dgram = require('node:dgram')

// As in turns.lua: the clock starts when the heap has its size.
const WARM_ROUNDS = 30000, LOOK_EVERY = 256

const [size, milliseconds, idleCount = 0] = process.argv.slice(2).map(Number)
const a = dgram.createSocket('udp4'), b = dgram.createSocket('udp4'), idle = []
let rounds = -WARM_ROUNDS, start, cpu, deadline, bPort

b.on('message', (msg, rinfo) => b.send(msg, rinfo.port, rinfo.address))
a.on('message', (msg) => {
  rounds++
  if (rounds === 0) begin()
  if (rounds <= 0 || rounds % LOOK_EVERY !== 0 || process.hrtime.bigint() < deadline) {
    a.send(msg, bPort, '127.0.0.1')
    return
  }
  const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
  console.log(`count=${rounds} bytes=${rounds * size} seconds=${seconds} cpu=${(used.user + used.system) / 1e6}`)
  a.close()
  b.close()
  for (const each of idle) each.close()
})

function begin() {
  cpu = process.cpuUsage()
  start = process.hrtime.bigint()
  deadline = start + BigInt(milliseconds) * 1000000n
}

function bound(socket) {
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve))
}

async function main() {
  for (let i = 0; i < idleCount; i++) {
    idle[i] = dgram.createSocket('udp4', () => { throw new Error('nothing was sent here') })
    await bound(idle[i])
  }
  await bound(a)
  await bound(b)
  bPort = b.address().port
  a.send(Buffer.alloc(size, 'x'), bPort, '127.0.0.1')
}

main()
