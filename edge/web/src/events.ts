// The browser contract (docs/PROTOCOL.md), as far as the page uses it: the SDK's types, which are made from the proto.
import type { SessionStatus } from '../../../client_sdk/js/src/events.generated';
import type { Position } from '../../../client_sdk/js/src/protocol';

export type { Clarification, Custom, ModelResult, Prompts, SessionStatus } from '../../../client_sdk/js/src/events.generated';
export type { Position, SessionEvent } from '../../../client_sdk/js/src/protocol';
export type { SessionState } from '../../../client_sdk/js/src/state';

export interface SessionSummary extends Position {
  sessionId: string;
  status: SessionStatus;
  createdAt: string;
  updatedAt: string;
}
