// What goes wrong, in Wukong's words, and what is tried again.

import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { fromStruct } from './values.js';

const PAUSES_MS = [100, 200, 400, 800, 1600, 2000];

/** How long to go on trying while nothing answers. */
export class Patience {
  /** @param {number} ms */
  constructor(ms) {
    this.ms = ms;
    this.end = Date.now() + ms;
    this.pauses = 0;
  }

  /** Begins anew: there was an answer. */
  answered() {
    this.end = Date.now() + this.ms;
    this.pauses = 0;
  }

  /** A pause before the next attempt, or the error if that cannot help, or lasted too long. @param {any} error */
  async after(error) {
    const known = refusal(error);
    const told = known.name === 'TooManyCalls' ? 1000 * known.attributes.seconds : 0;
    const pause = Math.max(told, PAUSES_MS[Math.min(this.pauses++, PAUSES_MS.length - 1)]);
    if (!known.passing || Date.now() + pause > this.end) throw known;
    await sleep(pause);
  }
}

/** A call that was refused, or a job that failed. */
export class WukongError extends Error {
  /**
   * @param {string} kind The class in `wukong.errors`, such as "UnknownJob", or "TaskError" where a task raised.
   * @param {string} message The whole sentence for the user.
   * @param {object} [more]
   * @param {string} [more.status] Name of the call's gRPC status; absent where a job failed.
   * @param {Record<string, any>} [more.attributes] What the sentence is about, for programs.
   * @param {any} [more.task] The task that raised: key, attempt, type, message, remoteTraceback.
   */
  constructor(kind, message, { status, attributes = {}, task } = {}) {
    super(message);
    this.name = kind;
    this.status = status;
    this.attributes = attributes;
    this.task = task;
  }

  /** Whether the same may succeed later: nothing answered, or calls came too often. */
  get passing() {
    return this.status === 'UNAVAILABLE' || this.status === 'CANCELLED' || this.name === 'TooManyCalls';
  }
}

/** The error of a call: status and text, and in the trailing metadata what more there is. @param {any} error */
function refusal(error) {
  if (error instanceof WukongError || error.code === undefined) return error;
  const status = grpc.status[error.code];
  const [said] = error.metadata?.get('wukong-error-bin') ?? [];
  if (!said) return new WukongError(status, error.details, { status });
  const { class: kind, message, attributes } = JSON.parse(said.toString());
  return new WukongError(kind, message, { status, attributes });
}

/** Why a job gave no results. @param {any} job */
export function failure({ jobId, state, error }) {
  if (!error) return new WukongError(state, `job ${jobId} has no results, it is ${state}`);
  const { type, message, attributes, task } = error;
  if (!task) return new WukongError(type, message, { attributes: attributes ? fromStruct(attributes) : {} });
  return new WukongError(type, `task ${task.key} raised ${task.type}: ${task.message}`, { task });
}

/**
 * What an attempt gives, which is made again while nothing answers.
 * @template T @param {Patience} patience @param {() => Promise<T>} attempt @returns {Promise<T>}
 */
export async function retried(patience, attempt) {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await patience.after(error);
    }
  }
}
