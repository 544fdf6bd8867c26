// Memory that bound and listening sockets take; run with --expose-gc. Argument: COUNT
const dgram = require('node:dgram')
const fs = require('node:fs')

function resident() {
  globalThis.gc?.()
  return Number(/^RssAnon:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
}

const count = Number(process.argv[2]), sockets = []

async function open() {
  const socket = dgram.createSocket('udp4', () => {})
  sockets.push(socket)
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve))
}

async function main() {
  await open()
  const before = resident()
  for (let i = 0; i < count; i++) await open()
  console.log(`count=${count} bytes=${resident() - before} seconds=0 cpu=0`)
  for (const socket of sockets) socket.close()
}

main()
