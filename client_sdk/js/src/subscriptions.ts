// Which sessions the socket is subscribed to, and which it should be: a pump makes the one the other, as fast as the server allows.
import type { Socket } from 'socket.io-client';

import type {
  ClientToServerEvents,
  Placed,
  Position,
  Resync,
  ServerToClientEvents,
  Subscribed,
} from './protocol.js';
import { Rate } from './rate.js';
import { SharedSession } from './shared_session.js';

export type SessionSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

// The server allows 10 a second and 100 at once (PROTOCOL.md, Limits). A little less, since a network can press messages together.
const PER_SECOND_MAX = 8;
const BURST_MAX = 90;
/** After the server has said "too often". */
const PAUSE_MS = 1_000;
const TOO_OFTEN = /^too often/;

/**
 * - `none`: not subscribed
 * - `asked`: `subscribe` is on its way, or waits for control
 * - `held`: subscribed
 * - `doubtful`: subscribed perhaps; asking again tells
 * - `leaving`: `unsubscribe` is on its way; what still comes is not for whoever opens the session next
 * - `refused`: not tried again by itself on this connection
 * - `lost`: the connection is, with what it held; a recovered one has it again
 */
type Phase = 'none' | 'asked' | 'held' | 'doubtful' | 'leaving' | 'refused' | 'lost';

interface Entry {
  id: string;
  phase: Phase;
  /** Counts what was asked, so that a late acknowledgement is told from the one that is awaited. */
  asked: number;
  /** The subscription is of no use to who has the session open now, if anybody. */
  mustLeave: boolean;
  /** How many have it open. */
  users: number;
  session: SharedSession | undefined;
}

const isSubscribed = ({ phase }: Entry) => phase === 'held' || phase === 'asked' || phase === 'doubtful';
const isWanted = (entry: Entry) => entry.users > 0 && entry.session?.ended === false;

export class Subscriptions {
  readonly #entries = new Map<string, Entry>();
  #isConnected = false;
  #isPumpDue = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pausedUntilMs = 0;
  #refusal: string | undefined;
  #subscribes = new Rate(PER_SECOND_MAX, BURST_MAX);
  #unsubscribes = new Rate(PER_SECOND_MAX, BURST_MAX);

  constructor(private readonly socket: SessionSocket) {}

  /** Each open() is followed by one release(). */
  open(id: string, after: Position | undefined): SharedSession {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = { id, phase: 'none', asked: 0, mustLeave: false, users: 0, session: undefined };
      this.#entries.set(id, entry);
    }
    entry.users += 1;
    if (!entry.session) {
      entry.session = new SharedSession(id, after);
      if (this.#refusal !== undefined) entry.session.refused(this.#refusal);
    }
    this.#pumpSoon();
    return entry.session;
  }

  release(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.users -= 1;
    this.#pumpSoon();
  }

  peek(id: string): SharedSession | undefined {
    return this.#entries.get(id)?.session;
  }

  // --- What the socket does

  connected(isRecovered: boolean): void {
    this.#isConnected = true;
    this.#pausedUntilMs = 0;
    this.#subscribes = new Rate(PER_SECOND_MAX, BURST_MAX);
    this.#unsubscribes = new Rate(PER_SECOND_MAX, BURST_MAX);
    for (const entry of this.#entries.values()) {
      const isHeldPerhaps = isRecovered && entry.phase === 'lost';
      entry.phase = isHeldPerhaps ? 'doubtful' : 'none';
      entry.mustLeave = isHeldPerhaps && entry.mustLeave;
    }
    this.retryRefused();
    this.#pumpSoon();
  }

  disconnected(): void {
    this.#isConnected = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const entry of this.#entries.values()) {
      if (entry.phase !== 'none' && entry.phase !== 'refused') entry.phase = 'lost';
      entry.session?.lost();
    }
  }

  /** The server refuses the client itself. */
  refuseAll(why: string): void {
    this.#refusal = why;
    for (const entry of this.#entries.values()) entry.session?.refused(why);
  }

  retryRefused(): void {
    this.#refusal = undefined;
    for (const entry of this.#entries.values()) {
      if (entry.phase === 'refused') entry.phase = 'none';
      entry.session?.retried();
    }
    this.#pumpSoon();
  }

  /** What is shown stays as it is. */
  close(): void {
    this.#entries.clear();
    this.disconnected();
  }

  // --- What arrives

  subscribed(payload: Subscribed): void {
    const entry = this.#entries.get(payload.sessionId);
    if (entry?.phase !== 'asked' || !entry.session) return;
    entry.phase = 'held';
    if (entry.session.subscribed(payload)) return;
    // A recovered subscription goes on with what it has begun to give, whatever position is asked for: only another one begins there.
    entry.mustLeave = true;
    this.#pumpSoon();
  }

  unsubscribed(id: string): void {
    const entry = this.#entries.get(id);
    if (entry?.phase !== 'leaving') return;
    entry.phase = 'none';
    this.#pumpSoon();
  }

  resync(payload: Resync): void {
    const entry = this.#entries.get(payload.sessionId);
    if (!entry?.session || entry.phase === 'leaving') return;
    if (entry.phase === 'asked') entry.phase = 'held';
    entry.session.resynced(payload);
  }

  event(name: string, payload: Placed): void {
    const entry = this.#entries.get(payload.sessionId);
    if (!entry?.session || entry.users === 0 || entry.phase === 'leaving') return;
    const isWhole = entry.session.arrived(name, payload);
    if (entry.session.ended) this.#pumpSoon();
    if (!isWhole && entry.phase === 'held') this.#askAgain(entry);
  }

  /** An `error` about the session that may mean that the subscription is gone: asking again tells. */
  doubted(id: string): void {
    const entry = this.#entries.get(id);
    if (entry?.phase === 'held') this.#askAgain(entry);
  }

  // --- The pump

  #askAgain(entry: Entry): void {
    entry.phase = 'doubtful';
    this.#pumpSoon();
  }

  // After the turn: who closes and opens in one (React does) stays subscribed.
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const entries = [...this.#entries.values()];
    if (this.#isConnected) {
      const now = performance.now();
      const leave = entries.filter((entry) => isSubscribed(entry) && (entry.mustLeave || !isWanted(entry)));
      const ask = entries.filter((entry) => isWanted(entry) && (entry.phase === 'none' || entry.phase === 'doubtful') && !entry.mustLeave);
      const waitMs = Math.max(
        this.#each(leave, now, this.#unsubscribes, (entry) => this.#unsubscribe(entry)),
        this.#each(ask, now, this.#subscribes, (entry) => this.#subscribe(entry)),
      );
      if (waitMs > 0) this.#pumpAfter(waitMs);
    }
    for (const entry of entries) {
      if (entry.users > 0) continue;
      entry.session = undefined;
      // Who opens it next begins anew.
      entry.mustLeave = entry.phase !== 'leaving';
      if (entry.phase === 'none' || entry.phase === 'refused') this.#entries.delete(entry.id);
    }
  }

  // Returns how long to wait for those that may not be done yet.
  #each(entries: Entry[], nowMs: number, rate: Rate, act: (entry: Entry) => void): number {
    for (const entry of entries) {
      const waitMs = Math.max(this.#pausedUntilMs - nowMs, 0) || rate.take(nowMs);
      if (waitMs > 0) return waitMs;
      act(entry);
    }
    return 0;
  }

  #pumpAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pump(), ms);
  }

  #subscribe(entry: Entry): void {
    entry.phase = 'asked';
    const asked = (entry.asked += 1);
    this.socket.emit('subscribe', entry.session!.request(), (answer) => {
      if (!('error' in answer) || entry.asked !== asked || entry.phase !== 'asked') return;
      if (TOO_OFTEN.test(answer.error)) return this.#pause(entry, 'doubtful');
      entry.phase = 'refused';
      entry.session?.refused(answer.error);
    });
  }

  #unsubscribe(entry: Entry): void {
    entry.phase = 'leaving';
    entry.mustLeave = false;
    const asked = (entry.asked += 1);
    this.socket.emit('unsubscribe', entry.id, (answer) => {
      if (!('error' in answer) || entry.asked !== asked || entry.phase !== 'leaving') return;
      entry.mustLeave = true;
      this.#pause(entry, 'held');
    });
  }

  #pause(entry: Entry, phase: Phase): void {
    entry.phase = phase;
    this.#pausedUntilMs = performance.now() + PAUSE_MS;
    this.#pumpSoon();
  }
}
