// Receives until a datagram of 3 bytes comes, and tells how late they came (as in ../latency.lua). Argument: ANSWER, one in
// so many is answered (none). Keeps the last rinfo.
const socket = require('node:dgram').createSocket('udp4')

const EVERY = 13, answer = Number(process.argv[2] ?? Infinity), late = []
let received = 0, bytes = 0, start, cpu, last

socket.on('message', (msg, rinfo) => {
  if (received === 0) {
    start = process.hrtime.bigint()
    cpu = process.cpuUsage()
  }
  if (msg.length === 3) {
    const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
    console.log(`count=${received} bytes=${bytes} seconds=${seconds} cpu=${(used.user + used.system) / 1e6} ` +
      `from=${last?.port} ${percentiles()}`)
    socket.close()
    return
  }
  received++
  bytes += msg.length
  last = rinfo
  if (received % EVERY === 0 && msg[0] === 0x30) {
    late.push(Number(process.hrtime.bigint() - BigInt(msg.toString('latin1', 0, 16))) / 1e3)
  }
  if (received % answer === 0) socket.send(msg, rinfo.port, rinfo.address)
})

function percentiles() {
  if (late.length === 0 || late[0] < 0) return '' // Bun's clock begins with the process
  late.sort((a, b) => a - b)
  return [50, 90, 99].map((p) => `p${p}=${late[Math.floor((late.length - 1) * p / 100)].toFixed(2)}`).join(' ')
}

socket.bind(0, '127.0.0.1', () => {
  let buffer = 'default'
  try {
    socket.setRecvBufferSize(4 * 1024 * 1024)
    buffer = socket.getRecvBufferSize()
  } catch {} // Bun has it not for every version
  console.log(`ready port=${socket.address().port} buffer=${buffer}`)
})
