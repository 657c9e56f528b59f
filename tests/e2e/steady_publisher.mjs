// Publishes one event after the other into a session, each until it is acknowledged.
import assert from 'node:assert/strict';

import { within } from '../support/processes.mjs';
import { events, status } from './publisher.mjs';

const STOP_MS_MAX = 30_000;
const RETRY_MS = 20;
// It may have been stored: publish again with the same key. gRPC itself cancels the call that comes
// in the moment in which control stops.
const RETRIED = new Set([status.UNAVAILABLE, status.CANCELLED]);

export class SteadyPublisher {
  positions = new Map(); // of what was acknowledged, by number
  retries = 0;
  #stopped = false;
  #closed = false;
  #failure = null;

  constructor(publisher, sessionId, { pauseMs = 0 } = {}) {
    this.publisher = publisher;
    this.sessionId = sessionId;
    this.pauseMs = pauseMs;
    this.ended = this.#run().catch((error) => {
      this.#failure = error;
    });
  }

  async #run() {
    for (let i = 1; !this.#stopped; i += 1) {
      await this.#publish(i);
      if (this.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
  }

  async #publish(i) {
    while (!this.#closed) {
      try {
        const options = { key: `${i}`, ms: 10_000 };
        const event = events.custom('token', { i });
        this.positions.set(i, await this.publisher.publish(this.sessionId, event, options));
        return;
      } catch (error) {
        if (!RETRIED.has(error.code)) throw error;
        this.retries += 1;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  // The positions, once all that it began is acknowledged.
  async stop() {
    this.#stopped = true;
    await within(STOP_MS_MAX, `the publisher of ${this.sessionId} ends`, this.ended);
    assert.equal(this.#failure, null, `the publisher of ${this.sessionId}`);
    return this.positions;
  }

  close() {
    this.#stopped = true;
    this.#closed = true;
  }
}
