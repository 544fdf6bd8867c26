// SPDX-License-Identifier: MIT
// Runs the cases of spec/support/node_cases*.lua on Node. It reads a JSON array of cases on stdin, and writes for each a JSON
// line: the list of what happened. node_driver.lua does the same on dgram, step for step; see there for the notation.
'use strict';
const dgram = require('dgram');
const net = require('net');
const { EventEmitter } = require('events');

const DEADLINE = 3000;
const logged = ['listening', 'connect', 'message', 'error', 'close'];

let run; // the case that runs: { log, names, made, open }

function say(entry) {
  if (!run) return;
  learnPorts();
  run.log.push(entry.replace(/[^ !#-\[\]-~]/g, '?'));
}

function nameOf(value) {
  for (const [name, made] of Object.entries(run.names)) if (made === value) return name;
  return null;
}

// Ports differ from run to run: the log has the socket's name in their place.
function learnPorts() {
  for (const [name, made] of Object.entries(run.names)) {
    if (!(made instanceof dgram.Socket)) continue;
    try {
      const { port } = made.address();
      if (run.ports[port] === undefined) run.ports[port] = name;
    } catch { /* not bound */ }
  }
}

function portText(port) {
  learnPorts();
  return run.ports[port] === undefined ? String(port) : `<${run.ports[port]}>`;
}

function errorText(err) {
  const parts = [err.name, err.code || (err instanceof TypeError ? 'without a code' : err.message)];
  if (err.syscall !== undefined && !String(err.code).startsWith('ERR_')) parts.push(err.syscall);
  if (err.hostname !== undefined) parts.push(err.hostname);
  if (err.address !== undefined) parts.push(err.address);
  if (err.port !== undefined) parts.push(portText(err.port));
  return parts.join(' ');
}

function shortened(string) {
  return string.length > 60 ? `${string.length} bytes` : `'${string}'`;
}

function text(value, key) {
  if (value === undefined || value === null) return 'nothing';
  if (value instanceof Error) return errorText(value);
  if (typeof value === 'function') return 'function';
  if (typeof value === 'string') return shortened(value);
  if (typeof value === 'number' && key === 'port') return portText(value);
  if (typeof value !== 'object') return String(value);
  if (Buffer.isBuffer(value)) return shortened(value.toString('latin1'));
  const name = nameOf(value);
  if (name) return name;
  if (Array.isArray(value)) return `[${value.map((each) => text(each)).join(', ')}]`;
  const fields = Object.keys(value).sort().map((field) => `${field}=${text(value[field], field)}`);
  return `{${fields.join(', ')}}`;
}

function texts(values) {
  const list = Array.from(values, (value) => text(value));
  while (list.length && list[list.length - 1] === 'nothing') list.pop();
  return list.join(', ');
}

function callback(spec) {
  return function(...args) {
    const told = args[0] instanceof Error && !spec.all ? args.slice(0, 1) : args;
    say(`${spec.cb}(${texts(told)})`);
    steps(spec.steps || []);
  };
}

function lookup(spec) {
  return (hostname, options, answer) => {
    if (net.isIP(hostname) && !spec.literals) return process.nextTick(answer, null, hostname, 4);
    say(`lookup ${text(hostname)}`);
    if (spec.raises) throw new Error(spec.raises);
    const finish = () => {
      if (spec.fails) answer(new Error(spec.fails));
      else answer(null, spec.answer, 4);
    };
    if (spec.now) finish();
    else setTimeout(finish, 5);
  };
}

// What JSON has no word for comes as {"$": ...}.
function argument(value) {
  if (Array.isArray(value)) return value.map(argument);
  if (value === null || typeof value !== 'object') return value;
  switch (value.$) {
    case 'nil': return undefined;
    case 'nan': return NaN;
    case 'huge': return Infinity;
    case 'rep': return value.text.repeat(value.times);
    case 'port': return run.names[value.of].address().port;
    case 'made': return run.names[value.of];
    case 'lookup': return lookup(value);
    case 'cb': return run.callbacks[value.cb] || (run.callbacks[value.cb] = callback(value));
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, argument(each)]));
}

function make(step) {
  const [, name, ...rest] = step.call;
  const args = rest.map(argument);
  if (step.kind === 'emitter') return new EventEmitter();
  if (step.kind === 'blocklist') return new net.BlockList();
  if (step.kind === 'signal') {
    const controller = new AbortController();
    if (step.aborted) controller.abort();
    run.aborts[name] = () => controller.abort();
    return controller.signal;
  }
  return dgram.createSocket(...args);
}

function listen(step, name, socket) {
  for (const event of step.bare ? [] : logged) {
    if (step.without && step.without.includes(event)) continue;
    socket.on(event, (...args) => {
      if (event === 'message') args[1] = { ...args[1] };
      say(`${name} ${event}${args.length ? ' ' + texts(args) : ''}`);
      steps((step.on || {})[event] || []);
    });
  }
}

function create(step) {
  const name = step.call[1];
  let made;
  try {
    made = make(step);
  } catch (err) {
    say(`new ${name} raised ${errorText(err)}`);
    return;
  }
  run.names[name] = made;
  if (made instanceof dgram.Socket) {
    run.open.push(made);
    listen(step, name, made);
  }
  say(`new ${name}`);
}

function call(step) {
  const [name, method, ...rest] = step.call;
  const target = run.names[name];
  let result;
  if (target === undefined) return say(`there is no ${name}`);
  try {
    const args = rest.map(argument);
    if (step.get) result = target[method];
    else if (typeof target[method] === 'function') result = target[method](...args);
    else return say(`${name} has no ${method}`);
  } catch (err) {
    return say(`${name}.${method} raised ${errorText(err)}`);
  }
  say(`${name}.${method}${step.show ? ' = ' + text(result) : ''}`);
}

function one(step) {
  const [target, value] = step.call;
  if (target === 'new') create(step);
  else if (target === 'say') say(value);
  else if (target === 'abort') run.aborts[value]();
  else if (target === 'raise') throw new Error(value);
  else call(step);
}

function steps(list) {
  if (!run) return;
  for (const step of list) one(step);
}

const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(prefix, times) {
  const end = Date.now() + DEADLINE;
  while (run.log.filter((entry) => entry.startsWith(prefix)).length < times) {
    if (Date.now() > end) throw new Error(`waited in vain for ${times} x ${prefix}`);
    await new Promise(setImmediate);
  }
}

async function perform(list) {
  for (const step of list) {
    const [target, value, times] = step.call;
    if (target === 'wait') await until(value, times || 1);
    else if (target === 'settle') await turn(value || 5);
    else one(step);
  }
  await turn(2);
}

async function main() {
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  process.on('uncaughtException', (err) => say(`uncaught ${err instanceof Error ? errorText(err) : text(err)}`));
  for (const list of JSON.parse(input)) {
    run = { log: [], names: {}, ports: {}, callbacks: {}, aborts: {}, open: [] };
    try {
      await perform(list);
    } catch (err) {
      say(`FAILED ${err.message}`);
    }
    const { log, open } = run;
    run = null;
    for (const socket of open) {
      try { socket.removeAllListeners().on('error', () => {}).close(); } catch { /* closed */ }
    }
    await turn(1);
    console.log(JSON.stringify(log));
  }
}

main();
