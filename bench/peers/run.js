// Runs one peer on bench_detect's texts. usage: node run.js PACKAGES PEER TEXTS ROUNDS
//
// TEXTS is a file of JSON lines, a string each. Writes JSON lines: the redacted texts in the same order, then the
// seconds that each round over all texts took, an array. bench_detect scores all alike. All of the peers' types are
// on, as their readme shows.
'use strict';
const fs = require('fs');
const path = require('path');
const [packages, peer, file, rounds] = process.argv.slice(2);
const load = name => require(path.resolve(packages, 'node_modules', name));

const peers = {
  'redact-pii': () => {
    const redactor = new (load('redact-pii').SyncRedactor)();
    return text => redactor.redact(text);
  },
  'openredaction': () => {
    const redactor = new (load('openredaction').OpenRedaction)({redactionMode: 'placeholder'});
    return async text => (await redactor.detect(text)).redacted;
  },
  '@redactpii/node': () => {
    const redactor = new (load('@redactpii/node').Redactor)();
    return text => redactor.redact(text);
  },
};

(async () => {
  const redact = peers[peer]();
  const texts = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line));
  for (const text of texts.slice(0, 200)) await redact(text);  // the compiler warms up
  const seconds = [];
  let outputs = [];
  for (let round = 0; round < Number(rounds); ++round) {
    const begin = process.hrtime.bigint();
    outputs = [];
    for (const text of texts) outputs.push(await redact(text));
    seconds.push(Number(process.hrtime.bigint() - begin) / 1e9);
  }
  process.stdout.write([...outputs, seconds].map(line => JSON.stringify(line)).join('\n') + '\n');
})();
