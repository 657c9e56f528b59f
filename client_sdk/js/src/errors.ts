// What can go wrong. Each has a class of its own, so that a program can tell one from the other.

/** The session cannot be read: the token is not good for it, or a limit is in the way. `message` is the server's reason. */
export class SessionRefusedError extends Error {
  override readonly name = 'SessionRefusedError';
}

/** The server does not take the token. `message` is its reason. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
}

/** An iteration was slower than its session for so long that more than `bufferedEventsMax` events waited. */
export class EventsOverflowError extends Error {
  override readonly name = 'EventsOverflowError';
  constructor(
    /** How many events may wait. */
    readonly bufferedEventsMax: number,
  ) {
    super(`more than ${bufferedEventsMax} events (bufferedEventsMax) waited to be read; go on with client.session(id, {after})`);
  }
}

/** Why an answer does not count. */
export type AnswerRefusal = 'answered' | 'expired' | 'cancelled' | 'unknown' | 'invalid' | 'unauthorized' | 'closed';

/** An answer does not count. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  constructor(
    message: string,
    /**
     * - `answered`: someone else was first; `response` is the answer that counts
     * - `expired`, `cancelled`: the question had ended; `response` is the default answer, if there is one
     * - `unknown`: there is no such session, or no such question in it
     * - `invalid`: the answer is not well formed or too long
     * - `unauthorized`: the token does not allow it
     * - `closed`: the session was closed meanwhile; whether the answer counts is not known
     */
    readonly reason: AnswerRefusal,
    readonly response?: string,
  ) {
    super(message);
  }
}
