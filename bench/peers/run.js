// Runs the peers on bench_detect's texts and prints a line of JSON for each. usage: node run.js PACKAGES DATA
//
// A peer gives text back, not places: a labelled value counts as found when it is not in the output; a plain message
// counts as hit when the output differs. All of the peers' types are on, as their readme shows.
'use strict';
const fs = require('fs');
const path = require('path');
const [packages, data] = process.argv.slice(2);
const load = name => require(path.resolve(packages, 'node_modules', name));
const structured = ['EMAIL', 'PHONE', 'CREDIT_CARD', 'SSN', 'IBAN', 'IP', 'MRN', 'NPI'];

const peers = {
  'redact-pii 3.4.0': () => {
    const redactor = new (load('redact-pii').SyncRedactor)();
    return text => redactor.redact(text);
  },
  'openredaction 1.1.5': () => {
    const redactor = new (load('openredaction').OpenRedaction)({redactionMode: 'placeholder'});
    return async text => (await redactor.detect(text)).redacted;
  },
  '@redactpii/node 1.0.17': () => {
    const redactor = new (load('@redactpii/node').Redactor)();
    return text => redactor.redact(text);
  },
};

function read(file) {
  try {
    return fs.readFileSync(path.join(data, file), 'utf8');
  } catch {
    return '';
  }
}
const labelled = read('pii/dev.jsonl').split('\n').filter(Boolean).map(line => JSON.parse(line));
const plain = read('banking77/test.csv').split('\n').slice(1).filter(Boolean).map(line => line.replace(/,[^,]*$/, '').replace(/^"|"$/g, ''));

async function measure(name, make) {
  const redact = make();
  for (const message of labelled.slice(0, 200)) await redact(message.text);  // the compiler warms up
  let labels = 0;
  let found = 0;
  const begin = process.hrtime.bigint();
  const outputs = [];
  for (const message of labelled) outputs.push(await redact(message.text));
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  labelled.forEach((message, i) => {
    for (const span of message.spans.filter(span => structured.includes(span.type))) {
      const value = Array.from(message.text).slice(span.start, span.end).join('');
      ++labels;
      found += !outputs[i].includes(value);
    }
  });
  let hits = 0;
  for (const text of plain) hits += (await redact(text)) !== text;
  const bytes = labelled.reduce((sum, message) => sum + Buffer.byteLength(message.text), 0);
  console.log(JSON.stringify({peer: name, recall: +(found / labels).toFixed(3), plain_hits: hits,
                              us_per_message: +(seconds * 1e6 / labelled.length).toFixed(1),
                              mb_per_s: +(bytes / 1e6 / seconds).toFixed(2)}));
}

(async () => {
  for (const [name, make] of Object.entries(peers)) {
    try {
      await measure(name, make);
    } catch (error) {
      console.log(JSON.stringify({peer: name, error: error.code || error.name}));
    }
  }
})();
