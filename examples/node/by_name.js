// Arguments by name: some statistics of the numbers on the command line.

import { Client, task } from './wukong.js';

const numbers = process.argv.slice(2).map(Number);

const total = task('total', 'math:fsum', [numbers]);
const mean = task('mean', 'operator:truediv', [total, numbers.length]);
const rounded = task('rounded', 'builtins:round', [], { number: mean, ndigits: 2 });
const falling = task('falling', 'builtins:sorted', [numbers], { reverse: true });
const orders = task('orders', 'math:factorial', [numbers.length]);
const summary = task('summary', 'builtins:dict', [], { mean: rounded, falling, orders });

const client = new Client();
try {
  const job = await client.submit([summary]);
  const { summary: found } = await job.results();
  console.log(`mean ${found.mean}, from the largest ${found.falling.join(' ')}, in ${found.orders} orders`);
  await job.release();
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
