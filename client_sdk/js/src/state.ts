// What is to be shown of a session: the same fold that the server makes of it. Pure.
import type { Clarification, Completed, ModelResult, Progress, SessionError, SessionStatus } from './events.generated.js';
import type { SessionEvent } from './protocol.js';

/** The state of a session. Never changes; each event that counts makes another. */
export interface SessionState {
  /** The end's (COMPLETED, FAILED, EXPIRED); else the last progress's; else ACTIVE. */
  readonly status: SessionStatus;
  /** The last one. */
  readonly progress: Progress | undefined;
  /** Each model's last one (by `modelName` and `runId`), in the order of their first. The last 1,000 at most. */
  readonly modelResults: readonly ModelResult[];
  /** Each question, or how it ended, in the order of their first. 1,000 at most; those that ended leave first. */
  readonly clarifications: readonly Clarification[];
  readonly completed: Completed | undefined;
  /** The one that ended the session. */
  readonly error: SessionError | undefined;
}

/** How many model results, and how many clarifications, a state has at most; as the server's. */
const ENTRIES_MAX = 1_000;

export const EMPTY_STATE: SessionState = Object.freeze({
  status: 'ACTIVE',
  progress: undefined,
  modelResults: Object.freeze([]),
  clarifications: Object.freeze([]),
  completed: undefined,
  error: undefined,
});

/** Whether nothing follows the event. */
export function endsSession(event: SessionEvent): boolean {
  if (event.kind === 'progress') return event.payload.status === 'EXPIRED';
  return event.kind === 'completed' || (event.kind === 'error' && event.payload.final === true);
}

/** The state after the event; the same object if the event is no part of it. */
export function stateAfter(state: SessionState, event: SessionEvent): SessionState {
  switch (event.kind) {
    case 'progress':
      return Object.freeze({ ...state, status: event.payload.status, progress: event.payload });
    case 'model_result': {
      const modelResults = replaced(state.modelResults, event.payload, isSameResult, () => true);
      return Object.freeze({ ...state, modelResults });
    }
    case 'clarification': {
      const clarifications = replaced(state.clarifications, event.payload, isSameQuestion, hasEnded);
      return Object.freeze({ ...state, clarifications });
    }
    case 'completed':
      return Object.freeze({ ...state, status: 'COMPLETED', completed: event.payload });
    case 'error':
      if (event.payload.final !== true) return state;
      return Object.freeze({ ...state, status: 'FAILED', error: event.payload });
    case 'custom':
      return state;
  }
}

const isSameResult = (a: ModelResult, b: ModelResult) => a.modelName === b.modelName && (a.runId ?? '') === (b.runId ?? '');
const isSameQuestion = (a: Clarification, b: Clarification) => a.clarificationId === b.clarificationId;
const hasEnded = (clarification: Clarification) => clarification.status !== 'pending';

function replaced<T>(
  entries: readonly T[],
  entry: T,
  isSame: (a: T, b: T) => boolean,
  mayLeave: (entry: T) => boolean,
): readonly T[] {
  const at = entries.findIndex((known) => isSame(known, entry));
  if (at >= 0) return Object.freeze(entries.map((known, i) => (i === at ? entry : known)));
  const more = [...entries, entry];
  if (more.length > ENTRIES_MAX) more.splice(Math.max(0, more.findIndex(mayLeave)), 1);
  return Object.freeze(more);
}
