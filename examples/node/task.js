// Tasks, and the request that they make.

import { toList, toStruct } from './values.js';

/** A call of a function that the executors offer. Among the arguments of another task it stands for its value. */
export class Task {
  /**
   * @param {string} id Unique in the job.
   * @param {string} name The function: "package.module:name".
   * @param {any[]} args
   * @param {Record<string, any>} kwargs
   * @param {{retries?: number}} options
   */
  constructor(id, name, args, kwargs, options) {
    this.id = id;
    this.name = name;
    this.args = args;
    this.kwargs = kwargs;
    this.options = options;
  }
}

/**
 * A call by name. Tasks may stand anywhere in its arguments, at any depth of arrays and objects.
 * @param {string} id Unique in the job.
 * @param {string} name The function: "package.module:name".
 * @param {any[]} [args] Arguments by position.
 * @param {Record<string, any>} [kwargs] Arguments by name.
 * @param {{retries?: number}} [options]
 */
export const task = (id, name, args = [], kwargs = {}, options = {}) => new Task(id, name, args, kwargs, options);

/** A value as it stands, also where it has "$task" or "$literal" among its names. @param {any} value */
export const literal = (value) => ({ $literal: value });

/**
 * The fields `tasks` and `targets` of a SubmitJobRequest.
 * @param {Task[]} targets The tasks whose values are asked for; those that they need come along.
 */
export function graphOf(targets) {
  const found = new Set(targets);
  const reference = (/** @type {any} */ value) => {
    if (!(value instanceof Task)) return value;
    found.add(value);
    return { $task: value.id };
  };
  const tasks = [];
  for (const { id, name, args, kwargs, options } of found) { // which grows meanwhile
    tasks.push({ id, call: { function: name, args: toList(args, reference), kwargs: toStruct(kwargs, reference) }, options });
  }
  return { tasks, targets: targets.map((target) => target.id) };
}
