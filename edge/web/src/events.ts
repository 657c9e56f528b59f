// The browser contract (docs/PROTOCOL.md), as far as the page uses it.

export interface Position {
  epoch: string;
  sequence: number;
}

export interface LogEvent extends Position {
  sessionId: string;
  timestamp: string;
  skipped?: number;
}

export type SessionStatus = 'ACTIVE' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'EXPIRED';

export interface Prompts {
  total: number;
  completed: number;
  processing: number;
  pending: number;
  failed: number;
}

export interface ProgressEvent extends LogEvent {
  status: SessionStatus;
  progress: number;
  prompts: Prompts;
  clarificationCount: number;
  result?: Record<string, unknown>;
}

export interface ModelResultEvent extends LogEvent {
  modelName: string;
  provider?: string;
  runId?: string;
  duration: number;
  result: string;
  status: 'processing' | 'completed' | 'failed';
  error?: string;
}

export interface ClarificationEvent extends LogEvent {
  clarificationId: string;
  question: string;
  status: 'pending' | 'answered';
  outcome?: 'answered' | 'expired' | 'cancelled';
  response?: string;
}

export interface CompletedEvent extends LogEvent {
  result: Record<string, unknown>;
}

export interface ErrorEvent extends LogEvent {
  error: string;
  final?: true;
}

// Published under a name of the backend's own.
export interface CustomEvent extends LogEvent {
  data: Record<string, unknown>;
}

export interface SessionSummary extends Position {
  sessionId: string;
  status: SessionStatus;
  createdAt: string;
  updatedAt: string;
}

// Events that belong to no session's log, and those of a log that have a shape of their own; all
// other names are the backend's.
export const BESIDE_THE_LOG = new Set(['connected', 'subscribed', 'unsubscribed', 'resync', 'token_expiring']);
