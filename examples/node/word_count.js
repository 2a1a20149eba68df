// Map and reduce: counts words in the lines of a text, each line in tasks of its own, and adds the counts up.

import { Client, task } from './wukong.js';

const TEXT = [
  'the quick brown fox jumps over the lazy dog',
  'the dog sleeps and the fox runs',
  'a fox and a dog and a hare meet in the wood',
];
const WORDS = ['the', 'fox', 'dog', 'and'];

const lines = TEXT.map((line, number) => task(`line-${number}`, 'builtins:list', [line.split(' ')]));
const totals = WORDS.map((word) => {
  const counts = lines.map((line) => task(`${word} in ${line.id}`, 'operator:countOf', [line, word]));
  return task(word, 'builtins:sum', [counts]);
});

const client = new Client();
try {
  const job = await client.submit(totals);
  const results = await job.results(({ progress }) => {
    if (progress) console.error(`${progress.tasksRun} of ${progress.tasksTotal} tasks`);
  });
  for (const [word, count] of Object.entries(results)) console.log(`${count} × ${word}`);
  await job.release();
} finally {
  client.close();
}
