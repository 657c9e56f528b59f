// Clients that know packets and nothing above them: polling by fetch, websocket by ws. Every wait has a deadline.
import { once } from 'node:events';
import http from 'node:http';

import WebSocket from 'ws';

import { within } from '../support/processes.mjs';

const PATIENCE_MS = 15_000;

// Long-polling; `path` ends with '/'.
export class Polling {
  constructor(url, path) {
    this.target = `${url}${path}?EIO=4&transport=polling`;
  }

  // A session that is open.
  static async open(url, path) {
    const polling = new Polling(url, path);
    const response = await fetch(polling.target);
    polling.handshake = JSON.parse((await response.text()).slice(1));
    polling.target += `&sid=${polling.handshake.sid}`;
    return polling;
  }

  get() {
    return within(PATIENCE_MS, 'the answer to a poll', fetch(this.target));
  }
  post(body) {
    return within(PATIENCE_MS, 'the answer to a POST', fetch(this.target, { method: 'POST', body }));
  }
  // A poll that is with the server before anything that is sent after this: fetch keeps no order. Its answer is
  // {answer}: {status, text}.
  async pending() {
    const request = http.get(this.target, { agent: false });
    const answer = within(PATIENCE_MS, 'the answer to a poll', (async () => {
      const [response] = await once(request, 'response');
      let text = '';
      for await (const piece of response.setEncoding('utf8')) text += piece;
      return { status: response.statusCode, text };
    })());
    await once(request, 'finish');
    return { answer };
  }
  async packets() {
    return (await (await this.get()).text()).split('\u001e');
  }
}

// A websocket; texts are strings, binary is a Buffer.
export class Socket {
  constructor(url, path, query = 'EIO=4&transport=websocket', options = {}) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}${path}?${query}`, options);
    this.socket.on('message', (data, isBinary) => {
      this.#received.push(isBinary ? data : String(data));
      this.#wake();
    });
    this.socket.on('error', (error) => { this.error = error; });
    this.socket.on('close', (code) => {
      this.closed = { code };
      this.#wake();
    });
  }

  #received = [];
  #wake = () => {};

  // The next packet; rejects if the websocket closes instead.
  async next() {
    return within(PATIENCE_MS, 'the next packet', (async () => {
      while (this.#received.length === 0) {
        if (this.closed) throw new Error(`closed with ${this.closed.code} ${this.error ?? ''}`);
        await new Promise((resolve) => { this.#wake = resolve; });
      }
      return this.#received.shift();
    })());
  }
  async opened() {
    await within(PATIENCE_MS, 'the websocket opens', once(this.socket, 'open'));
    return this;
  }
  // The code that it closes with, whatever comes before.
  async end() {
    await within(PATIENCE_MS, 'the websocket closes', (async () => {
      while (!this.closed) await new Promise((resolve) => { this.#wake = resolve; });
    })());
    return this.closed.code;
  }
  send(...packets) {
    for (const packet of packets) this.socket.send(packet);
    return this;
  }
  close() {
    this.socket.close();
  }
}
