// Made from proto/ by tools/browser_types.mjs: change neither by hand, run it again.
import type { JsonObject, Placed } from './protocol.js';

/**
 * Where a session is in its life.
 *
 * - `COMPLETED`: In a progress this does not end the session; only a `completed` event does.
 * - `FAILED`: In a progress this does not end the session; only an `error` event marked final does.
 * - `EXPIRED`: Written by control alone, when a session had no event for its time to live.
 */
export type SessionStatus = 'ACTIVE' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'EXPIRED';

/**
 * State of one model's execution.
 *
 * - `processing`: Still running; `result` is the whole so far.
 * - `failed`: `error` says why.
 */
export type ModelResultStatus = 'processing' | 'completed' | 'failed';

/** How many prompts of a session are in which state. Each 0..2^31 - 1. */
export interface Prompts {
  total: number;
  completed: number;
  processing: number;
  pending: number;
  failed: number;
}

/** How far the session's work has come. */
export interface Progress extends Placed {
  /** Required; not EXPIRED, which control alone writes. */
  status: SessionStatus;
  /** Percent of the work that is done, 0..100; fractions allowed. */
  progress: number;
  /** If the publisher leaves it out, control counts the model results of the session so far. */
  prompts: Prompts;
  /** Whether a clarification is pending. If the publisher leaves it out, control looks. */
  hasClarifications: boolean;
  /** How many clarifications are pending. If the publisher leaves it out, control counts. */
  clarificationCount: number;
  /**
   * Whether `result` is there; browsers see it as hasResult. If the publisher leaves it out, control looks. (Not named
   * has_result: C++ has that name for `result` already.)
   */
  hasResult?: boolean;
  /** A result so far, of the publisher's own shape; nesting at most 32 deep. */
  result?: JsonObject;
}

/** What one model has produced for one prompt. */
export interface ModelResult extends Placed {
  /** Required; 1..256 bytes. For example "llama3.1:8b". */
  modelName: string;
  /** Who runs the model, for example "ollama"; at most 256 bytes. May be left out. */
  provider?: string;
  /** How long the model has run, in milliseconds; 0..2^53 - 1. */
  duration: number;
  /** The model's answer, the whole so far, not a delta (token deltas are Custom events). */
  result: string;
  /** Required. */
  status: ModelResultStatus;
  /** Why it failed; only with status FAILED. */
  error?: string;
  /** Tells results of one model for several prompts of a session apart; at most 256 bytes. May be left out. */
  runId?: string;
}

/** A question put to the human, or what ended it (the same clarification_id, another status). */
export interface Clarification extends Placed {
  /** 1..128 of letters, digits, `. _ : -`; usually a UUID. One question for each id of a session. */
  clarificationId: string;
  /** Required while pending; at most 16 KiB. Control repeats it in the event that ends the question. */
  question: string;
  status: 'pending' | 'answered';
  /** How the question ended; only with status 'answered'. */
  outcome?: 'answered' | 'expired' | 'cancelled';
  /** The answer; or the default, when the time limit passed and there is one. Control writes it. */
  response?: string;
}

/** The session's work is done. Ends the session: later publishes are FAILED_PRECONDITION. */
export interface Completed extends Placed {
  /** The final result, of the publisher's own shape; nesting at most 32 deep. Left out: an empty object. */
  result: JsonObject;
}

/** Something went wrong. */
export interface SessionError extends Placed {
  /** Required; at most 16 KiB. */
  error: string;
  /** Whether the session ends with it. */
  final?: true;
}

/** An event of the publisher's own, for example a token delta. */
export interface Custom extends Placed {
  /** Of the publisher's own shape; nesting at most 32 deep. Left out: an empty object. */
  data: JsonObject;
}

/** The contract's events of a session's log: name and payload. */
export interface LogEvents {
  progress: Progress;
  model_result: ModelResult;
  clarification: Clarification;
  completed: Completed;
  error: SessionError;
}
