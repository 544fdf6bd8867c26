// Sends with a callback each, 64 in flight. Arguments: PORT SIZE MILLISECONDS
const socket = require('node:dgram').createSocket('udp4')

const [port, size, milliseconds] = process.argv.slice(2).map(Number)
const payload = Buffer.alloc(size, 'x')
let sent = 0, done = 0, running = true
const cpu = process.cpuUsage(), start = process.hrtime.bigint()
const deadline = start + BigInt(milliseconds) * 1000000n

function callback(err) {
  if (err) throw err
  done++
  if (done % 1024 === 0) running = process.hrtime.bigint() < deadline
  if (running) {
    sent++
    socket.send(payload, port, '127.0.0.1', callback)
  } else if (done === sent) {
    const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
    console.log(`count=${sent} bytes=${sent * size} seconds=${seconds} cpu=${(used.user + used.system) / 1e6}`)
    socket.close()
  }
}

socket.bind(0, () => {
  for (let i = 0; i < 64; i++) {
    sent++
    socket.send(payload, port, '127.0.0.1', callback)
  }
})
