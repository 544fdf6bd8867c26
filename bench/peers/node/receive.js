// Receives until a datagram of 3 bytes comes. Keeps the last rinfo.
const socket = require('node:dgram').createSocket('udp4')

let received = 0, bytes = 0, start, cpu, last

socket.on('message', (msg, rinfo) => {
  if (received === 0) {
    start = process.hrtime.bigint()
    cpu = process.cpuUsage()
  }
  if (msg.length === 3) {
    const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
    console.log(`count=${received} bytes=${bytes} seconds=${seconds} cpu=${(used.user + used.system) / 1e6} ` +
      `from=${last?.port}`)
    socket.close()
    return
  }
  received++
  bytes += msg.length
  last = rinfo
})
socket.bind(0, '127.0.0.1', () => {
  let buffer = 'default'
  try {
    socket.setRecvBufferSize(4 * 1024 * 1024)
    buffer = socket.getRecvBufferSize()
  } catch {} // Bun has it not for every version
  console.log(`ready port=${socket.address().port} buffer=${buffer}`)
})
