// The client: one socket for all its sessions.
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';

import { answer } from './answering.js';
import { TokenRefusedError } from './errors.js';
import type { Placed, Position, Refusal, Resync, Subscribed, Unsubscribed } from './protocol.js';
import { Session, type SessionOwner } from './session.js';
import { INITIAL_VIEW, type SessionView } from './shared_session.js';
import { type SessionSocket, Subscriptions } from './subscriptions.js';

export interface SessionClientOptions {
  /**
   * Who the client is, where the server asks: a JWT, or what gets one (undefined: there is none); it is asked anew for each connection,
   * and before a token ends.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** Socket.IO's connection state recovery. Default false: positions do the same without it, for any number of sessions. */
  recovery?: boolean;
  /** The shortest wait before a try to connect again, in milliseconds; doubles with each. Default 100. */
  backoffMinMs?: number;
  /** The longest, in milliseconds. Default 2,000. */
  backoffMaxMs?: number;
  /** One request that answers a question, in milliseconds. Default 10,000. */
  callTimeoutMs?: number;
  /** How many events may wait for a loop over a session. Default 10,000. */
  bufferedEventsMax?: number;
  /** Options of socket.io-client; they win over what this client sets. */
  io?: Partial<Omit<ManagerOptions & SocketOptions, 'auth'>>;
}

const RESPOND_PATH = '/api/wizard/clarifications/respond';
// Of a doubling wait a random part between half and all: socket.io-client multiplies by 1 ± its randomization factor.
const MEAN_PART = 0.75;
const RANDOM_PART = 1 / 3;
const GROWTHS_MAX = 30;

export class SessionClient {
  /** For what this client has no word for. Its `subscribe` and `unsubscribe` are the client's own. */
  readonly socket: SessionSocket;

  readonly #options: Required<Omit<SessionClientOptions, 'token' | 'io'>> & Pick<SessionClientOptions, 'token'>;
  readonly #respondUrl: string;
  readonly #subscriptions: Subscriptions;
  readonly #sessions = new Set<Session>();
  readonly #owner: SessionOwner;
  #isClosed = false;

  /**
   * Connects when the first session is asked for.
   *
   * @param url Where an edge is, for example `https://example.org`.
   */
  constructor(url: string, options: SessionClientOptions = {}) {
    const { io: ioOptions, ...own } = options;
    this.#options = {
      recovery: false,
      backoffMinMs: 100,
      backoffMaxMs: 2_000,
      callTimeoutMs: 10_000,
      bufferedEventsMax: 10_000,
      ...own,
    };
    this.#respondUrl = new URL(RESPOND_PATH, new URL(url, globalThis.location?.href)).href.replace(/^ws/, 'http');
    this.socket = io(url, {
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      forceNew: true,
      reconnectionDelay: this.#options.backoffMinMs * MEAN_PART,
      reconnectionDelayMax: this.#options.backoffMaxMs,
      randomizationFactor: RANDOM_PART,
      ...ioOptions,
      autoConnect: false,
      auth: (present) => void this.#present(present),
    } as Partial<ManagerOptions & SocketOptions>);
    this.#subscriptions = new Subscriptions(this.socket);
    this.#owner = {
      bufferedEventsMax: this.#options.bufferedEventsMax,
      answer: (sessionId, clarificationId, response, signal) =>
        this.#answer(sessionId, clarificationId, response, signal),
      left: (session) => {
        this.#sessions.delete(session);
        this.#subscriptions.release(session.id);
      },
    };
    this.#listen();
  }

  /**
   * A hold of the session; all holds of one id share its subscription and state. Each is closed by itself.
   *
   * @param id 1 to 128 of letters, digits, `.`, `_`, `:`, `-`; usually a UUID.
   * @param options `after`: reads everything behind that position (`{epoch: '', sequence: 0}`: from the first event that is kept); its
   * state is made of that alone. Without it the session's state comes first, then what happens. It counts only where nobody has the
   * session open yet.
   */
  session(id: string, { after }: { after?: Position } = {}): Session {
    if (this.#isClosed) throw new Error('session(): the client is closed');
    const session = new Session(this.#subscriptions.open(id, after), this.#owner);
    this.#sessions.add(session);
    if (!this.socket.active) this.#connectAtFirst();
    return session;
  }

  /** Connects now: also after `unauthorized`, which is not tried again by itself, and for sessions that were refused. */
  connect(): void {
    if (this.#isClosed) throw new Error('connect(): the client is closed');
    this.#wasAsked = true;
    this.#subscriptions.retryRefused();
    this.socket.connect();
  }
  #wasAsked = false;

  /**
   * There is another token: it is asked for and shown at once, and the connection stays. Sessions that were refused are asked for again.
   * Without a connection this is {@link connect}.
   *
   * @throws {@link TokenRefusedError} when the server does not take it; the one before still counts.
   */
  async refreshToken(): Promise<void> {
    if (!this.socket.connected) return this.connect();
    const token = await this.#token();
    if (token === undefined) throw new TokenRefusedError('there is no token');
    await this.#show(token);
  }

  /** Closes every session and the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const session of [...this.#sessions]) session.close();
    this.#subscriptions.close();
    this.socket.disconnect();
  }

  /** @internal The session's view, without opening it. */
  viewOf(id: string): SessionView {
    return this.#subscriptions.peek(id)?.view ?? INITIAL_VIEW;
  }

  // Not after a refusal, which only connect() overrides.
  #connectAtFirst(): void {
    if (this.#wasAsked) return;
    this.#wasAsked = true;
    this.socket.connect();
  }

  #listen(): void {
    const { socket } = this;
    socket.on('connect', () => this.#subscriptions.connected(socket.recovered === true));
    socket.on('disconnect', (reason) => {
      this.#subscriptions.disconnected();
      // socket.io-client does not come back from this one by itself.
      if (reason === 'io server disconnect' && !this.#isClosed) socket.connect();
    });
    socket.on('connect_error', (error) => {
      if (!socket.active) this.#subscriptions.refuseAll(error.message);
    });
    socket.onAny((name: string, payload: unknown) => {
      if (typeof payload === 'object' && payload !== null) this.#arrived(name, payload);
    });
  }

  #arrived(name: string, payload: object): void {
    if ('sequence' in payload && name !== 'subscribed' && name !== 'resync') {
      return this.#subscriptions.event(name, payload as Placed);
    }
    switch (name) {
      case 'subscribed':
        return this.#subscriptions.subscribed(payload as Subscribed);
      case 'unsubscribed':
        return this.#subscriptions.unsubscribed((payload as Unsubscribed).sessionId);
      case 'resync':
        return this.#subscriptions.resync(payload as Resync);
      case 'error': {
        const { sessionId } = payload as Refusal;
        return sessionId === undefined ? undefined : this.#subscriptions.doubted(sessionId);
      }
      case 'token_expiring':
        return void this.#tokenExpires();
    }
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? token() : token;
  }

  async #present(present: (auth: object) => void): Promise<void> {
    const { recovery } = this.#options;
    try {
      const token = await this.#token();
      this.#shown = token;
      present({ recovery, ...(token !== undefined && { token }) });
    } catch {
      // As a connection that fails: tried again, with a wait.
      this.socket.io.engine?.close();
    }
  }
  #shown: string | undefined;

  // What fails here is tried again by the connection that follows the token's end. The same token again would be told to end again.
  async #tokenExpires(): Promise<void> {
    if (typeof this.#options.token !== 'function') return;
    const token = await this.#token().catch(() => undefined);
    if (token === undefined || token === this.#shown || !this.socket.connected) return;
    await this.#show(token).catch(() => {});
  }

  async #show(token: string): Promise<void> {
    const answer = await this.socket.timeout(this.#options.callTimeoutMs).emitWithAck('refresh_token', token);
    if ('error' in answer) throw new TokenRefusedError(answer.error);
    this.#shown = token;
    this.#subscriptions.retryRefused();
  }

  async #answer(sessionId: string, clarificationId: string, response: string, signal: AbortSignal): Promise<void> {
    const { callTimeoutMs, backoffMinMs, backoffMaxMs } = this.#options;
    const backoffMs = (attempt: number) =>
      Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempt - 1, GROWTHS_MAX)) * (0.5 + Math.random() / 2);
    const answering = { url: this.#respondUrl, token: () => this.#token(), callTimeoutMs, backoffMs };
    await answer({ sessionId, clarificationId, response }, answering, signal);
  }
}
