// What the page knows of one session beside its state, which is the SDK's: each model's text as it grows, the last events, and how
// many there were. And what of a state is shown. All of it is bounded, however many events come.
import type { Clarification, Custom, ModelResult, SessionEvent, SessionState } from './events';
import { percent } from './format';

export const TIMELINE_ENTRIES_MAX = 500;
const MODELS_MAX = 200;
const QUESTIONS_MAX = 200;
const TEXT_CHARS_MAX = 32 * 1024;
const SUMMARY_CHARS_MAX = 160;
const NAME_CHARS_MAX = 256; // as the contract's; a backend's own events can have longer ones

export interface Model {
  key: string;
  name: string;
  provider: string;
  runId: string;
  status: 'processing' | 'completed' | 'failed';
  durationMs: number | null;
  text: string;
  error: string;
}

export interface Entry {
  key: string;
  sequence: number;
  name: string;
  timestamp: string;
  summary: string;
  skipped: number;
}

export interface End {
  kind: 'completed' | 'failed' | 'expired';
  text: string;
}

// The end of a text that is too long to show; what was cut off is marked.
function bounded(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `…${text.slice(1 - TEXT_CHARS_MAX)}`;
}

function brief(text: string): string {
  return text.length <= SUMMARY_CHARS_MAX ? text : `${text.slice(0, SUMMARY_CHARS_MAX - 1)}…`;
}

function named(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, NAME_CHARS_MAX) : '';
}

// A map in the order of insertion that forgets its oldest.
function put<Value>(map: Map<string, Value>, key: string, value: Value, sizeMax: number): void {
  map.set(key, value);
  if (map.size > sizeMax) map.delete(map.keys().next().value as string);
}

// How the session ended, if it has.
export function endOf({ completed, error, progress }: SessionState): End | null {
  if (completed) return { kind: 'completed', text: bounded(JSON.stringify(completed.result, null, 2)) };
  if (error) return { kind: 'failed', text: error.error };
  if (progress?.status !== 'EXPIRED') return null;
  return { kind: 'expired', text: 'Nobody published to this session for its time to live.' };
}

// What waits for a person comes first; of what has ended the oldest are left out.
export function questionsOf({ clarifications }: SessionState): Clarification[] {
  const open = clarifications.filter(({ status }) => status === 'pending').slice(-QUESTIONS_MAX);
  const ended = clarifications.filter(({ status }) => status !== 'pending');
  return [...open, ...ended.slice(Math.max(0, ended.length + open.length - QUESTIONS_MAX))];
}

export class SessionLog {
  models = new Map<string, Model>();
  // The newest last; up to twice TIMELINE_ENTRIES_MAX, so that it is seldom cut.
  timeline: Entry[] = [];
  eventsShown = 0;
  eventsSkipped = 0;
  updatedAt = '';
  hasStartedAgain = false;

  // What was known is of no use any more; the session's state follows.
  startAgain(): void {
    this.hasStartedAgain = true;
    this.models = new Map();
    this.timeline = [];
  }

  add(event: SessionEvent): void {
    const { timestamp, epoch, sequence, skipped = 0 } = event.payload;
    this.eventsShown += 1;
    this.eventsSkipped += skipped;
    this.updatedAt = timestamp;
    const summary = brief(this.apply(event) ?? '');
    this.timeline.push({ key: `${epoch} ${sequence}`, sequence, name: event.name, timestamp, summary, skipped });
    if (this.timeline.length >= 2 * TIMELINE_ENTRIES_MAX) {
      this.timeline = this.timeline.slice(-TIMELINE_ENTRIES_MAX);
    }
  }

  // What the timeline says of it.
  private apply(event: SessionEvent): string {
    switch (event.kind) {
      case 'progress':
        return `${percent(event.payload.progress)}, ${event.payload.status.toLowerCase()}`;
      case 'model_result':
        return this.applyResult(event.payload);
      case 'clarification': {
        const { status, question, outcome, response } = event.payload;
        return status === 'pending' ? question : `${outcome ?? 'answered'}: ${response ?? question}`;
      }
      case 'completed':
        return 'the session is complete';
      case 'error':
        return event.payload.error;
      case 'custom':
        return this.applyCustom(event.name, event.payload);
    }
  }

  private applyResult(event: ModelResult): string {
    const key = `${event.modelName}\n${event.runId ?? ''}`;
    put(
      this.models,
      key,
      {
        key,
        name: event.modelName,
        provider: event.provider ?? '',
        runId: event.runId ?? '',
        status: event.status,
        durationMs: event.duration,
        text: bounded(event.result),
        error: event.error ?? '',
      },
      MODELS_MAX,
    );
    return `${event.modelName} ${event.status}`;
  }

  // A delta of a model's text goes behind what its card has; its next result replaces all of it.
  private applyCustom(name: string, { data }: Custom): string {
    const delta = data?.delta;
    if (typeof delta !== 'string') return JSON.stringify(data);
    const modelName = named(data.modelName) || named(data.model) || name;
    const runId = named(data.runId);
    const key = `${modelName}\n${runId}`;
    const before = this.models.get(key);
    put(
      this.models,
      key,
      {
        key,
        name: modelName,
        provider: before?.provider ?? named(data.provider),
        runId,
        status: 'processing',
        durationMs: before?.durationMs ?? null,
        text: bounded((before?.text ?? '') + delta),
        error: '',
      },
      MODELS_MAX,
    );
    return `${modelName}: ${delta}`;
  }
}
