// Sends back what comes, until a datagram of 3 bytes does.
const socket = require('node:dgram').createSocket('udp4')

let echoed = 0, start, cpu

socket.on('message', (msg, rinfo) => {
  if (echoed === 0) {
    start = process.hrtime.bigint()
    cpu = process.cpuUsage()
  }
  if (msg.length === 3) {
    const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - start) / 1e9
    console.log(`count=${echoed} seconds=${seconds} cpu=${(used.user + used.system) / 1e6}`)
    socket.close()
    return
  }
  echoed++
  socket.send(msg, rinfo.port, rinfo.address)
})
socket.bind(0, '127.0.0.1', () => console.log(`ready port=${socket.address().port}`))
