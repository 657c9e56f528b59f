// The browser contract (docs/PROTOCOL.md), as far as the page uses it: the SDK's types, which are made from the proto.
import type { SessionStatus } from '../../../client_sdk/js/src/events.generated';
import type { Position } from '../../../client_sdk/js/src/protocol';

export type {
  Clarification as ClarificationEvent,
  Completed as CompletedEvent,
  Custom as CustomEvent,
  ModelResult as ModelResultEvent,
  Progress as ProgressEvent,
  Prompts,
  SessionError as ErrorEvent,
  SessionStatus,
} from '../../../client_sdk/js/src/events.generated';
export type { Placed as LogEvent, Position } from '../../../client_sdk/js/src/protocol';

export interface SessionSummary extends Position {
  sessionId: string;
  status: SessionStatus;
  createdAt: string;
  updatedAt: string;
}

// Events that belong to no session's log, and those of a log that have a shape of their own; all
// other names are the backend's.
export const BESIDE_THE_LOG = new Set(['connected', 'subscribed', 'unsubscribed', 'resync', 'token_expiring']);
