// Stock Socket.IO clients whose every event is written down in order.
import { io } from 'socket.io-client';

import { within } from '../support/processes.mjs';

const WAIT_MS_MAX = 20_000;

export class Client {
  constructor(url, options = {}) {
    this.events = []; // {name, data} in the order of arrival
    this.disconnects = [];
    this.socket = io(url, {
      path: '/socket.io/',
      forceNew: true,
      transports: ['websocket'],
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      ...options,
    });
    this.socket.onAny((name, data) => this.#saw({ name, data }));
    this.socket.on('connect', () => this.#wake());
    this.socket.on('disconnect', (reason) => {
      this.disconnects.push(reason);
      this.#wake();
    });
  }

  #waiting = new Set();

  #saw(event) {
    this.events.push(event);
    this.#wake();
  }

  #wake() {
    for (const look of this.#waiting) look();
  }

  // Until the condition holds; it is looked at when something arrives.
  until(condition, what, ms = WAIT_MS_MAX) {
    let look;
    const held = new Promise((resolve) => {
      look = () => {
        const value = condition();
        if (value) resolve(value);
      };
      this.#waiting.add(look);
      look();
    });
    return within(
      ms,
      () => `${what}; seen: ${JSON.stringify(this.events.slice(-20))}`,
      held,
    ).finally(() => this.#waiting.delete(look));
  }

  connected() {
    return this.until(() => this.socket.connected, 'the client connects');
  }

  named(name, sessionId) {
    return this.events
      .filter((event) => event.name === name && (!sessionId || event.data.sessionId === sessionId))
      .map((event) => event.data);
  }

  // The data of the `count`th event of that name.
  async event(name, { sessionId, count = 1 } = {}) {
    await this.until(
      () => this.named(name, sessionId).length >= count,
      `${count} × ${name} ${sessionId ?? ''}`,
    );
    return this.named(name, sessionId)[count - 1];
  }

  emitWithAck(name, ...args) {
    return this.socket.timeout(WAIT_MS_MAX).emitWithAck(name, ...args);
  }

  async subscribe(target) {
    await this.connected();
    return this.emitWithAck('subscribe', target);
  }

  transport() {
    return this.socket.io.engine.transport.name;
  }

  close() {
    this.socket.disconnect();
  }
}

// A client of this deployment's edge that ends with the deployment.
export function connect(deployment, options) {
  return deployment.closeFirst(new Client(deployment.url, options));
}
