// The browser protocol (docs/PROTOCOL.md): what the generated types of events leave out.
import type { Custom, LogEvents } from './events.generated.js';

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A place in a session's log. */
export interface Position {
  /** Identity of the numbering: 8 characters; `''` before the session's first event. Positions of two epochs cannot be compared. */
  epoch: string;
  /** Number of an event in its epoch: 1, 2, 3 … 0: before the first event. */
  sequence: number;
}

/** What every event of a session's log carries. */
export interface Placed extends Position {
  sessionId: string;
  /** How many events just before this one were left out for this client, because newer ones superseded them; only if above 0. */
  skipped?: number;
  /** ISO 8601 in UTC with milliseconds; never decreases within a session. */
  timestamp: string;
}

/** Sent when the connection is there. */
export interface Connected {
  socketId: string;
  timestamp: string;
}

/** The answer to `subscribe`: where reading goes on from; sequence 0 when the state follows. */
export interface Subscribed extends Position {
  sessionId: string;
  timestamp: string;
}

/** The answer to `unsubscribe`: no event of the session comes after it. */
export interface Unsubscribed {
  sessionId: string;
  timestamp: string;
}

/** The position that was asked for is not kept, or of another epoch. The session's state follows, and begins anew. */
export interface Resync extends Position {
  sessionId: string;
  timestamp: string;
}

/** The token ends in 60 s or less. */
export interface TokenExpiring {
  /** ISO 8601 in UTC. */
  expiresAt: string;
  timestamp: string;
}

/** An `error` without `sequence`: the answer to something that this client sent and that cannot be done. */
export interface Refusal {
  error: string;
  sessionId?: string;
  timestamp: string;
}

/** What `subscribe` takes: by id the state comes first; with `after` everything behind that position. */
export type SubscribeRequest = string | { sessionId: string; after: Position };

/** How `subscribe` is acknowledged. */
export type SubscribeAnswer = ({ ok: true; sessionId: string } & Position) | { error: string };

/** How `unsubscribe` is acknowledged. */
export type UnsubscribeAnswer = { ok: true; sessionId: string } | { error: string };

/** What `clarification_response` takes. */
export interface ClarificationResponse {
  sessionId: string;
  clarificationId: string;
  /** At most 16 KiB; may be empty. */
  response: string;
}

/** How `refresh_token` is acknowledged. */
export type RefreshAnswer = { ok: true; /** ISO 8601 in UTC. */ expiresAt?: string } | { error: string };

/** The payloads of all that a server sends under a name of its own. */
export interface ServerPayloads extends Omit<LogEvents, 'error'> {
  connected: Connected;
  subscribed: Subscribed;
  unsubscribed: Unsubscribed;
  resync: Resync;
  token_expiring: TokenExpiring;
  error: LogEvents['error'] | Refusal;
}

/**
 * For `Socket<ServerToClientEvents, ClientToServerEvents>` of socket.io-client. A backend's own events arrive under their names,
 * with a {@link Custom} payload.
 */
export type ServerToClientEvents = { [Name in keyof ServerPayloads]: (payload: ServerPayloads[Name]) => void };

/** For `Socket<ServerToClientEvents, ClientToServerEvents>` of socket.io-client. */
export interface ClientToServerEvents {
  subscribe: (session: SubscribeRequest, answered?: (answer: SubscribeAnswer) => void) => void;
  unsubscribe: (sessionId: string, answered?: (answer: UnsubscribeAnswer) => void) => void;
  clarification_response: (
    response: ClarificationResponse,
    answered?: (answer: { ok: true } | { error: string }) => void,
  ) => void;
  refresh_token: (token: string, answered?: (answer: RefreshAnswer) => void) => void;
}

/** An event of a session's log. Its `kind` says what its payload is; `name` is the kind, or the name of a backend's own event. */
export type SessionEvent =
  | { [Kind in keyof LogEvents]: { kind: Kind; name: Kind; payload: LogEvents[Kind] } }[keyof LogEvents]
  | { kind: 'custom'; name: string; payload: Custom };
