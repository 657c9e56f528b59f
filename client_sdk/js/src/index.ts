// Sessioncast for browsers and Node.js.
export { SessionClient, type SessionClientOptions } from './client.js';
export { Session, type SessionItem } from './session.js';
export type { Connection, SessionHandlers, SessionView } from './shared_session.js';
export type { SessionState } from './state.js';
export { AnswerError, type AnswerRefusal, EventsOverflowError, SessionRefusedError, TokenRefusedError } from './errors.js';
export type * from './events.generated.js';
export type * from './protocol.js';
