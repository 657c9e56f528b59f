// A session as its users hold it.
import type { Handler } from './emitter.js';
import { SessionRefusedError } from './errors.js';
import { EventQueue } from './event_queue.js';
import type { Position, Resync, SessionEvent } from './protocol.js';
import type { Connection, SessionHandlers, SessionView, SharedSession } from './shared_session.js';
import type { SessionState } from './state.js';

/** What iterating over a session gives: its events in order, and where what was read before does not count any more, a resync. */
export type SessionItem = SessionEvent | { kind: 'resync'; name: 'resync'; payload: Resync };

/** @internal */
export interface SessionOwner {
  bufferedEventsMax: number;
  answer(sessionId: string, clarificationId: string, response: string, signal: AbortSignal): Promise<void>;
  left(session: Session): void;
}

/** One user's hold of a session: see {@link SessionClient.session}. */
export class Session implements AsyncIterable<SessionItem> {
  readonly #shared: SharedSession;
  readonly #owner: SessionOwner;
  readonly #closed = new AbortController();
  readonly #takeAway = new Set<() => void>();
  readonly #queues = new Set<EventQueue<SessionItem>>();

  /** @internal */
  constructor(shared: SharedSession, owner: SessionOwner) {
    this.#shared = shared;
    this.#owner = owner;
  }

  get id(): string {
    return this.#shared.id;
  }

  /** What is to be shown. Replaced whole at each change; stays after {@link close}. */
  get state(): SessionState {
    return this.#shared.view.state;
  }

  /** How reading goes. After {@link close} it stays as it was. */
  get connection(): Connection {
    return this.#shared.view.connection;
  }

  /** Of the last event; undefined before the first answer of the server. Good for `after`. */
  get position(): Position | undefined {
    return this.#shared.position;
  }

  /** Why `connection` is `refused`. */
  get refusal(): string | undefined {
    return this.connection === 'refused' ? this.#shared.refusal : undefined;
  }

  /**
   * Calls the handler for each event of that kind, each `event` (the backend's own too), `resync`, or `change` of state or connection.
   * Returns what takes the handler away. What a handler throws is reported as an uncaught error is.
   */
  on<Name extends keyof SessionHandlers>(name: Name, handler: Handler<SessionHandlers[Name]>): () => void {
    if (this.#closed.signal.aborted) return () => {};
    const off = this.#shared.emitter.on(name, handler);
    const takeAway = () => {
      this.#takeAway.delete(takeAway);
      off();
    };
    this.#takeAway.add(takeAway);
    return takeAway;
  }

  /**
   * Answers a question. Tries again while the connection or control is away.
   *
   * @param response At most 16 KiB; may be empty.
   * @returns When the answer counts.
   * @throws {@link AnswerError} when it does not: `reason` is `answered` when someone else was first.
   */
  answer(clarificationId: string, response: string): Promise<void> {
    return this.#owner.answer(this.id, clarificationId, response, this.#closed.signal);
  }

  /** Takes this user's handlers away and ends its iterations. The last one to close unsubscribes. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    for (const takeAway of [...this.#takeAway]) takeAway();
    for (const queue of [...this.#queues]) queue.end();
    this.#owner.left(this);
  }

  /**
   * The session's events from now on, until it ends or is closed. At most `bufferedEventsMax` wait for the loop; past that it throws
   * {@link EventsOverflowError}. Throws {@link SessionRefusedError} when the session is refused.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<SessionItem> {
    const offs: (() => void)[] = [];
    const queue = new EventQueue<SessionItem>(this.#owner.bufferedEventsMax, () => {
      this.#queues.delete(queue);
      for (const off of offs) off();
    });
    this.#queues.add(queue);
    const look = ({ connection }: SessionView) => {
      if (connection === 'ended') queue.end();
      if (connection === 'refused') queue.end(new SessionRefusedError(this.#shared.refusal ?? 'refused'));
    };
    offs.push(
      this.on('event', (event) => queue.push(event)),
      this.on('resync', (payload) => queue.push({ kind: 'resync', name: 'resync', payload })),
      this.on('change', look),
    );
    if (this.#closed.signal.aborted) queue.end();
    else look(this.#shared.view);
    return queue;
  }
}
