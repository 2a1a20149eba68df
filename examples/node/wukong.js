// A client of Wukong: submits jobs of calls by name, watches them and reads their results as JSON.
//
// It takes the .proto files of the repository as they are, at run time. docs/clients.md says what each call means and
// what may be tried again; a client in another language does the same.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { failure, Patience, retried, WukongError } from './failure.js';
import { graphOf, literal, Task, task } from './task.js';
import { fromValue } from './values.js';

export { literal, Task, task, WukongError };

const PROTOS = fileURLToPath(new URL('../../protos', import.meta.url));
const LOADING = { includeDirs: [PROTOS], longs: Number, enums: String, defaults: true, oneofs: true };
const FILES = ['wukong/rpc/v1/scheduler.proto', 'wukong/rpc/v1/data.proto'];
const { Scheduler, Data } = /** @type {any} */ (grpc.loadPackageDefinition(loadSync(FILES, LOADING))).wukong.rpc.v1;

const CHANNEL = {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.enable_http_proxy': 0,
};
const CALL_MS = 30_000;
const FINAL = ['JOB_STATE_DONE', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_GONE'];

/** A connection to a cluster. */
export class Client {
  /**
   * @param {object} [where]
   * @param {string} [where.address] host:port of the scheduler; by default WUKONG_ADDRESS.
   * @param {string} [where.token] The cluster's token; by default WUKONG_TOKEN.
   * @param {string} [where.caFile] The authorities (PEM) that vouch for the cluster; without it calls are not
   *   encrypted. By default WUKONG_TLS_CA.
   * @param {string} [where.certificateFile] This client's certificate (PEM), where the cluster demands one. By default
   *   WUKONG_TLS_CERTIFICATE.
   * @param {string} [where.keyFile] Its key. By default WUKONG_TLS_KEY.
   * @param {number} [where.patienceMs] How long to go on trying while nothing answers.
   */
  constructor({
    address = process.env.WUKONG_ADDRESS,
    token = process.env.WUKONG_TOKEN,
    caFile = process.env.WUKONG_TLS_CA,
    certificateFile = process.env.WUKONG_TLS_CERTIFICATE,
    keyFile = process.env.WUKONG_TLS_KEY,
    patienceMs = 30_000,
  } = {}) {
    if (!address || !token) throw new TypeError('which cluster? Set WUKONG_ADDRESS and WUKONG_TOKEN');
    const [ca, certificate, key] = [caFile, certificateFile, keyFile].map((file) => (file ? readFileSync(file) : null));
    this.credentials = ca ? grpc.credentials.createSsl(ca, key, certificate) : grpc.credentials.createInsecure();
    this.metadata = new grpc.Metadata();
    this.metadata.set('authorization', `Bearer ${token}`);
    this.patienceMs = patienceMs;
    this.scheduler = new Scheduler(address, this.credentials, CHANNEL);
    /** @type {any} */
    this.proxy = undefined;
  }

  /**
   * Submits a job.
   * @param {Task[]} targets The tasks whose values are asked for; those that they need come along.
   * @param {object} [options] Beside `jobId`, the fields of JobOptions.
   * @param {string} [options.jobId] An id stands for one job: the same again gives the same job. By default a new one.
   * @param {number} [options.deadlineSeconds]
   * @param {number} [options.maxParallelism]
   * @param {number} [options.maxCostUsd]
   * @param {number} [options.retries]
   */
  async submit(targets, { jobId = randomUUID(), ...options } = {}) {
    const job = new Job(this, { jobId, ...graphOf(targets), options });
    await job.submit();
    return job;
  }

  /**
   * One call of the scheduler, made again while it is away: all of its methods may be repeated.
   * @param {string} method @param {object} request @returns {Promise<any>}
   */
  call(method, request) {
    const calling = promisify(this.scheduler[method].bind(this.scheduler));
    return this.retried(() => calling(request, this.metadata, { deadline: Date.now() + CALL_MS }));
  }

  /** An attempt, made again while nothing answers. @template T @param {() => Promise<T>} attempt */
  retried(attempt) {
    return retried(new Patience(this.patienceMs), attempt);
  }

  /** The proxy's Data service, for results that are too large for a message about their job. */
  async data() {
    this.proxy ??= new Data((await this.call('GetCluster', {})).dataEndpoint, this.credentials, CHANNEL);
    return this.proxy;
  }

  /** Ends the connection. Jobs go on. */
  close() {
    this.scheduler.close();
    this.proxy?.close();
  }
}

/** A job that was submitted. */
export class Job {
  /** @param {Client} client @param {{jobId: string, targets: string[], tasks: object[], options: object}} request */
  constructor(client, request) {
    this.client = client;
    this.request = request;
    this.id = request.jobId;
  }

  /** Submits it, for the first time or again. */
  async submit() {
    const { warnings } = await this.client.call('SubmitJob', this.request);
    for (const warning of warnings) process.emitWarning(warning);
  }

  /**
   * What happens, until the job has ended. Each event has under the name in `event` what it says: "state", "progress",
   * "log" or "retried". The last one has all of the job in `state.job`. A stream that breaks is taken up again.
   * @returns {AsyncGenerator<any, void>}
   */
  async *watch() {
    const patience = new Patience(this.client.patienceMs);
    let afterSequence = '';
    for (;;) {
      const stream = this.client.scheduler.WatchJob({ jobId: this.id, afterSequence }, this.client.metadata);
      stream.on('error', () => {}); // of a stream that nobody reads any more
      try {
        for await (const event of stream) {
          patience.answered();
          afterSequence = event.sequence || afterSequence;
          // After a crash of its store the cluster may know the half of a job. Submitted again, it is whole.
          if (event.state?.state === 'JOB_STATE_LOADING') await this.submit();
          else yield event;
          if (FINAL.includes(event.state?.state)) return;
        }
      } catch (error) {
        await patience.after(error);
      } finally {
        stream.cancel();
      }
    }
  }

  /**
   * Waits for the end.
   * @param {(event: any) => void} [see] Gets every event.
   * @returns {Promise<Record<string, any>>} The value of each target, by its id.
   * @throws {WukongError} The job failed or was cancelled.
   */
  async results(see = () => {}) {
    let ended;
    for await (const event of this.watch()) {
      see(event);
      ended = event.state?.job;
    }
    if (ended.state !== 'JOB_STATE_DONE') throw failure(ended);
    const values = ended.results.map(async (/** @type {any} */ result) => [result.target, await this.#value(result)]);
    return Object.fromEntries(await Promise.all(values));
  }

  /** Stops it; a job that has ended stays as it is. @param {string} [reason] What its error will say. */
  async cancel(reason = '') {
    await this.client.call('CancelJob', { jobId: this.id, reason });
  }

  /** Lets the cluster forget the job and its results. */
  async release() {
    await this.client.call('ReleaseJob', { jobId: this.id });
  }

  /** @param {any} result */
  async #value({ task, value, json }) {
    if (value === 'json') return fromValue(json);
    const data = await this.client.data();
    return this.client.retried(async () => {
      for await (const { mark } of data.GetResult({ jobId: this.id, task }, this.client.metadata)) {
        return JSON.parse(mark.toString('utf8', 1)); // behind a byte that says that it is JSON
      }
    });
  }
}
