// Between a client and an edge: a WebSocket that loses or repeats what it is told to, as no network would.
import { once } from 'node:events';

import { requireFromSdk } from './sdk.mjs';

const WebSocket = requireFromSdk('ws');

export class Middleman {
  // `pass` is given each text frame of the edge, and returns those that go on.
  static async before(deployment, pass) {
    const server = new WebSocket.Server({ host: 'localhost', port: 0 });
    await once(server, 'listening');
    return deployment.closeFirst(new Middleman(server, deployment, pass));
  }

  constructor(server, deployment, pass) {
    this.#server = server;
    this.url = `http://localhost:${server.address().port}`;
    server.on('connection', (down, request) => {
      const up = new WebSocket(`${deployment.url.replace('http', 'ws')}${request.url}`);
      const waiting = [];
      down.on('message', (frame) => {
        if (up.readyState === WebSocket.OPEN) up.send(String(frame));
        else waiting.push(String(frame));
      });
      up.on('open', () => waiting.splice(0).forEach((frame) => up.send(frame)));
      up.on('message', (frame) => pass(String(frame)).forEach((passed) => down.send(passed)));
      for (const [one, other] of [[up, down], [down, up]]) {
        one.on('close', () => other.terminate());
        one.on('error', () => other.terminate());
      }
    });
  }

  #server;

  // Every connection is lost.
  cut() {
    for (const client of this.#server.clients) client.terminate();
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
