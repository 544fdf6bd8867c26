// SPDX-License-Identifier: MIT
// A Node program that dgram talks to: node_peer.js WAY TYPE ADDRESS [PORT] [GROUP]. It says "ready PORT" when it listens.
'use strict';
const dgram = require('dgram');

const [way, type, address, port, group] = process.argv.slice(2);
const socket = dgram.createSocket({ type, reuseAddr: way === 'join' });
const parts = ['one', '', 'y'.repeat(50000)];

function ready(run) {
  socket.bind(0, way === 'join' ? undefined : address, () => {
    if (run) run();
    console.log(`ready ${socket.address().port}`);
  });
}

function ask(send) {
  let answers = 0;
  socket.on('message', (msg, rinfo) => {
    const right = msg.toString() === `lua: ${parts[answers]}` && rinfo.port === Number(port) && rinfo.size === msg.length;
    if (!right) process.exit(1);
    if (++answers < parts.length) return send(parts[answers]);
    console.log('done');
    socket.close();
  });
  send(parts[0]);
}

const ways = {
  echo() {
    socket.on('message', (msg, rinfo) => socket.send(`node: ${msg}`, rinfo.port, rinfo.address));
    ready();
  },
  ask() {
    ready(() => ask((part) => socket.send(part, Number(port), address)));
  },
  'ask-connected'() {
    ready(() => socket.connect(Number(port), address, () => ask((part) => socket.send(part))));
  },
  // Both ends are connected to each other.
  tell() {
    socket.on('message', (msg) => {
      socket.send(`told: ${msg}`, () => socket.send('end', () => socket.close()));
    });
    socket.bind(0, address, () => {
      socket.connect(Number(port), address, () => console.log(`ready ${socket.address().port}`));
    });
  },
  join() {
    socket.on('message', (msg) => {
      console.log(`heard ${msg}`);
      socket.close();
    });
    ready(() => socket.addMembership(group, address));
  },
  cast() {
    ready(() => {
      socket.setMulticastInterface(address);
      socket.send('from Node', Number(port), group, () => socket.close());
    });
  },
};

ways[way]();
