// Answers a question, for as long as it takes: a connection that is lost, or control that is away, leaves open whether the answer
// counts, and the same answer may be given again.
import { AnswerError, type AnswerRefusal } from './errors.js';
import type { ClarificationResponse } from './protocol.js';

export interface AnsweringOptions {
  /** Of POST /api/wizard/clarifications/respond. */
  url: string;
  token: () => Promise<string | undefined>;
  /** One request, in milliseconds. */
  callTimeoutMs: number;
  /** The wait before the `attempt`th try, in milliseconds. */
  backoffMs: (attempt: number) => number;
}

interface Reply {
  status: number;
  error: string;
  outcome: unknown;
  response: string | undefined;
}

const REASONS: Record<number, AnswerRefusal> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'unknown',
  409: 'answered',
  413: 'invalid',
};

/** Resolves when the answer counts; rejects with an {@link AnswerError} when it does not, or with `signal`. */
export async function answer(body: ClarificationResponse, options: AnsweringOptions, signal: AbortSignal): Promise<void> {
  let mayRenew = true;
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) throw new AnswerError('the session was closed before it was known whether the answer counts', 'closed');
    const reply = await post(body, options, signal);
    // The token may have ended on the way; there may be another.
    const renews = reply?.status === 401 && mayRenew;
    if (renews) mayRenew = false;
    else if (reply && isSettled(reply, body)) return;
    await pause(options.backoffMs(attempt), signal);
  }
}

// Whether the answer counts, if that is known; throws when it does not.
function isSettled(reply: Reply, body: ClarificationResponse): boolean {
  if (reply.status === 200) return true;
  // An earlier try may have been the one that counts.
  if (reply.status === 409 && reply.response === body.response) return true;
  if (reply.status === 410) {
    throw new AnswerError(reply.error, reply.outcome === 'cancelled' ? 'cancelled' : 'expired', reply.response);
  }
  if (reply.status === 409) {
    throw new AnswerError(`someone else was first: ${reply.error}`, 'answered', reply.response);
  }
  const reason = REASONS[reply.status];
  if (reason) throw new AnswerError(reply.error, reason);
  return false;
}

// Undefined: no answer came.
async function post(body: ClarificationResponse, options: AnsweringOptions, signal: AbortSignal): Promise<Reply | undefined> {
  const own = new AbortController();
  const abort = () => own.abort();
  const timer = setTimeout(abort, options.callTimeoutMs);
  signal.addEventListener('abort', abort);
  try {
    const token = await options.token();
    const response = await fetch(options.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      signal: own.signal,
    });
    const said = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    return {
      status: response.status,
      error: typeof said.error === 'string' ? said.error : `HTTP ${response.status}`,
      outcome: said.outcome,
      response: typeof said.response === 'string' ? said.response : undefined,
    };
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
