// Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS [IDLE]
// IDLE: so many sockets more, bound and listening, to which nothing comes.
const dgram = require('node:dgram')

// As in turns.lua: the clock starts when the heap has its size.
const WARM_ROUNDS = 30000, WARM_TIME = 3, LOOK_EVERY = 256

const [size, milliseconds, idleCount = 0] = process.argv.slice(2).map(Number)
const a = dgram.createSocket('udp4'), b = dgram.createSocket('udp4'), idle = []
let rounds = 0, start, cpu, deadline, warm, bPort

b.on('message', (msg, rinfo) => b.send(msg, rinfo.port, rinfo.address))
a.on('message', (msg) => {
  rounds++
  if (rounds % LOOK_EVERY !== 0 || !isLast(process.hrtime.bigint())) {
    a.send(msg, bPort, '127.0.0.1')
    return
  }
  const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
  console.log(`count=${rounds} bytes=${rounds * size} seconds=${seconds} cpu=${(used.user + used.system) / 1e6}`)
  a.close()
  b.close()
  for (const each of idle) each.close()
})

function isLast(now) {
  const length = BigInt(milliseconds) * 1000000n
  if (start) return now >= deadline
  warm ??= now + BigInt(WARM_TIME) * length
  if (rounds >= WARM_ROUNDS || now >= warm) {
    cpu = process.cpuUsage()
    start = now
    deadline = now + length
    rounds = 0
  }
  return false
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
