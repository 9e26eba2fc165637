// ONNX Runtime as a peer of bench_edge. usage: node ort.js PACKAGES; a line of JSON in, a line of JSON out.
//   {"op": "load", "kind": "fp32|int8|empty", "width", "layers", "batch", "threads"}  -> {"loaded": "version"}
//   {"op": "run", "seconds", "runs_max"}                                              -> {"us": [...]}
// A model is a stack of square linear layers with biases. int8: DynamicQuantizeMatMul, ONNX Runtime's own fusion of
// DynamicQuantizeLinear, MatMulInteger and scaling, with a scale for each output. empty: one Identity, which costs what
// a call costs.
'use strict';
const path = require('path');
const readline = require('readline');
const ort = require(path.resolve(process.argv[2], 'node_modules', 'onnxruntime-node'));
const {version} = require(path.resolve(process.argv[2], 'node_modules', 'onnxruntime-node', 'package.json'));

// ---- ONNX is a protocol buffer; field numbers from onnx.proto. ----
function varint(n) {
  const bytes = [];
  for (; n > 127; n = Math.floor(n / 128)) bytes.push(n % 128 | 128);
  return Buffer.from([...bytes, n]);
}
const number = (field, n) => [varint(field * 8), varint(n)];
function bytes(field, parts) {
  const flat = [parts].flat(Infinity).map(part => (typeof part === 'string' ? Buffer.from(part) : part));
  return [varint(field * 8 + 2), varint(flat.reduce((sum, part) => sum + part.length, 0)), flat];
}
const FLOAT = 1;
const INT8 = 3;
function initializer(name, type, dims, data) {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes(5, [dims.map(d => number(1, d)), number(2, type), bytes(8, name), bytes(9, raw)]);
}
const node = (type, inputs, output, domain = '') =>
  bytes(1, [inputs.map(name => bytes(1, name)), bytes(2, output), bytes(4, type), bytes(7, domain)]);
function value(field, name, dims) {
  const shape = dims.map(d => bytes(1, number(1, d)));
  return bytes(field, [bytes(1, name), bytes(2, bytes(1, [number(1, FLOAT), bytes(2, shape)]))]);
}
const opset = (domain, n) => bytes(8, [bytes(1, domain), number(2, n)]);

let state = 1;
function random() {  // xorshift32
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state | 0) / 2 ** 31;
}

function layer(kind, width, i) {
  const weights = kind === 'int8' ? new Int8Array(width * width) : new Float32Array(width * width);
  const size = kind === 'int8' ? 127 : Math.sqrt(3 / width);
  for (let k = 0; k < weights.length; ++k) weights[k] = random() * size;
  const bias = initializer(`b${i}`, FLOAT, [width], new Float32Array(width).map(random));
  if (kind === 'fp32') {
    return [node('Gemm', [`x${i}`, `w${i}`, `b${i}`], `x${i + 1}`),
            initializer(`w${i}`, FLOAT, [width, width], weights), bias];
  }
  return [node('DynamicQuantizeMatMul', [`x${i}`, `w${i}`, `s${i}`, `z${i}`, `b${i}`], `x${i + 1}`, 'com.microsoft'),
          initializer(`w${i}`, INT8, [width, width], weights),
          initializer(`s${i}`, FLOAT, [width], new Float32Array(width).fill(Math.sqrt(3 / width) / 127)),
          initializer(`z${i}`, INT8, [width], new Int8Array(width)), bias];
}

function model({kind, width, layers, batch}) {
  const count = kind === 'empty' ? 1 : layers;
  const graph = kind === 'empty' ? [node('Identity', ['x0'], 'x1')] : [...Array(count).keys()].map(i => layer(kind, width, i));
  return Buffer.concat([number(1, 8), opset('', 17), opset('com.microsoft', 1),
                        bytes(7, [graph, bytes(2, 'stack'), value(11, 'x0', [batch, width]), value(12, `x${count}`, [batch, width])])]
                         .flat(Infinity));
}

let session;
let feeds;
async function load(request) {
  if (session) await session.release();
  session = await ort.InferenceSession.create(model(request), {
    intraOpNumThreads: request.threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'});
  const {batch, width} = request;
  feeds = {x0: new ort.Tensor('float32', new Float32Array(batch * width).map(random), [batch, width])};
  return {loaded: version};
}

async function run({seconds, runs_max}) {
  const us = [];
  for (const end = performance.now() + seconds * 1000; us.length < runs_max && performance.now() < end;) {
    const begin = process.hrtime.bigint();
    await session.run(feeds);
    us.push(Number(process.hrtime.bigint() - begin) / 1000);
  }
  return {us};
}

(async () => {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const request = JSON.parse(line);
    const reply = await (request.op === 'load' ? load(request) : run(request)).catch(error => ({error: String(error)}));
    process.stdout.write(JSON.stringify(reply) + '\n');
  }
})();
