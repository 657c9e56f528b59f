// One session as a client reads it: its position, its state, who listens. All who ask for the same id share it. Does no I/O:
// Subscriptions tells it what arrives.
import { Emitter } from './emitter.js';
import type { LogEvents } from './events.generated.js';
import { arrivalAt, isSameEpoch } from './position.js';
import type { Placed, Position, Resync, SessionEvent, SubscribeRequest } from './protocol.js';
import { EMPTY_STATE, endsSession, type SessionState, stateAfter } from './state.js';

/**
 * - `connecting`: not subscribed yet
 * - `live`: what happens arrives
 * - `reconnecting`: was live, and will be again
 * - `refused`: the server does not allow it ({@link Session.refusal} says why); tried again at the next connection, or when asked
 * - `ended`: the session has; nothing follows
 */
export type Connection = 'connecting' | 'live' | 'reconnecting' | 'refused' | 'ended';

/** What is to be shown, all of it. Never changes; each change makes another. */
export interface SessionView {
  readonly state: SessionState;
  readonly connection: Connection;
}

/** What {@link Session.on} takes: name and payload. */
export interface SessionHandlers extends LogEvents {
  /** Every event, the backend's own too. */
  event: SessionEvent;
  /** What was read before does not count any more: the state begins anew. */
  resync: Resync;
  /** `state` or `connection` has changed. */
  change: SessionView;
}

export const INITIAL_VIEW: SessionView = Object.freeze({ state: EMPTY_STATE, connection: 'connecting' });

const CONTRACT_KINDS: ReadonlySet<string> = new Set<keyof LogEvents>([
  'progress',
  'model_result',
  'clarification',
  'completed',
  'error',
]);

function toEvent(name: string, payload: Placed): SessionEvent {
  return { kind: CONTRACT_KINDS.has(name) ? name : 'custom', name, payload } as SessionEvent;
}

export class SharedSession {
  readonly emitter = new Emitter<SessionHandlers>();
  view = INITIAL_VIEW;
  position: Position | undefined;
  /** Why it is refused. */
  refusal: string | undefined;
  #readsAfter: boolean;
  #wasLive = false;

  constructor(
    readonly id: string,
    after: Position | undefined,
  ) {
    this.position = after;
    this.#readsAfter = after !== undefined;
  }

  get ended(): boolean {
    return this.view.connection === 'ended';
  }

  /** What to subscribe with, to go on where it is. */
  request(): SubscribeRequest {
    const { id, position } = this;
    if (!position || (position.sequence === 0 && !this.#readsAfter)) return id;
    return { sessionId: id, after: { epoch: position.epoch, sequence: position.sequence } };
  }

  /** Reading goes on from there. False: something between the position and there is missing. */
  subscribed(at: Position): boolean {
    const { position } = this;
    if (position && position.sequence > 0 && isSameEpoch(position, at) && at.sequence > position.sequence) return false;
    // What was seen meanwhile comes again, and is dropped.
    if (!position || !isSameEpoch(position, at) || at.sequence >= position.sequence) this.#moveTo(at);
    this.#becomeLive();
    return true;
  }

  resynced(resync: Resync): void {
    this.#moveTo(resync);
    this.#readsAfter = false;
    this.#wasLive = true;
    this.refusal = undefined;
    this.#show({ state: EMPTY_STATE, connection: 'live' }, () => this.emitter.emit('resync', resync));
  }

  /** False: something is missing before it. */
  arrived(name: string, payload: Placed): boolean {
    if (!this.position || this.ended) return true;
    const arrival = arrivalAt(this.position, payload);
    if (arrival !== 'next') return arrival === 'seen';
    this.#moveTo(payload);
    const event = toEvent(name, payload);
    const state = stateAfter(this.view.state, event);
    const connection = endsSession(event) ? 'ended' : this.view.connection;
    this.#show({ state, connection }, () => {
      if (event.kind !== 'custom') this.emitter.emit(event.kind, event.payload as never);
      this.emitter.emit('event', event);
    });
    return true;
  }

  lost(): void {
    if (this.view.connection === 'live') this.#connectionIs('reconnecting');
  }

  refused(why: string): void {
    this.refusal = why;
    this.#connectionIs('refused');
  }

  /** A refused one is asked for again. */
  retried(): void {
    if (this.view.connection === 'refused') this.#connectionIs(this.#wasLive ? 'reconnecting' : 'connecting');
  }

  #moveTo({ epoch, sequence }: Position): void {
    this.position = Object.freeze({ epoch, sequence });
  }

  #becomeLive(): void {
    this.#wasLive = true;
    this.refusal = undefined;
    this.#connectionIs('live');
  }

  #connectionIs(connection: Connection): void {
    if (!this.ended) this.#show({ state: this.view.state, connection });
  }

  // Handlers of an event see the state that it has made.
  #show(view: SessionView, before?: () => void): void {
    const hasChanged = view.state !== this.view.state || view.connection !== this.view.connection;
    if (hasChanged) this.view = Object.freeze(view);
    before?.();
    if (hasChanged) this.emitter.emit('change', this.view);
  }
}
