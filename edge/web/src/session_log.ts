// What the page knows of one session: made from its events, each once and in order, whatever the
// connection does. Everything in it is bounded, however many events come.
import type {
  ClarificationEvent,
  CompletedEvent,
  CustomEvent,
  ErrorEvent,
  LogEvent,
  ModelResultEvent,
  Position,
  ProgressEvent,
} from './events';
import { percent } from './format';

export const TIMELINE_ENTRIES_MAX = 500;
const MODELS_MAX = 200;
const QUESTIONS_MAX = 200;
const TEXT_CHARS_MAX = 32 * 1024;
const SUMMARY_CHARS_MAX = 160;

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

export type Accepted = 'shown' | 'known' | 'gap';

// The end of a text that is too long to show; what was cut off is marked.
function bounded(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `…${text.slice(1 - TEXT_CHARS_MAX)}`;
}

function brief(text: string): string {
  return text.length <= SUMMARY_CHARS_MAX ? text : `${text.slice(0, SUMMARY_CHARS_MAX - 1)}…`;
}

// A map in the order of insertion that forgets its oldest.
function put<Value>(map: Map<string, Value>, key: string, value: Value, sizeMax: number): void {
  map.set(key, value);
  if (map.size > sizeMax) map.delete(map.keys().next().value as string);
}

export class SessionLog {
  readonly sessionId: string;
  position: Position | null = null;
  progress: ProgressEvent | null = null;
  models = new Map<string, Model>();
  questions = new Map<string, ClarificationEvent>();
  end: End | null = null;
  // The newest last; up to twice TIMELINE_ENTRIES_MAX, so that it is seldom cut.
  timeline: Entry[] = [];
  eventsShown = 0;
  eventsSkipped = 0;
  updatedAt = '';

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  // The server has said where reading goes on.
  moveTo({ epoch, sequence }: Position): void {
    this.position = epoch === '' ? null : { epoch, sequence };
  }

  // What was known is of no use any more; its state follows.
  startAgain(position: Position): void {
    this.progress = null;
    this.models = new Map();
    this.questions = new Map();
    this.end = null;
    this.timeline = [];
    this.moveTo(position);
  }

  // The rule of docs/PROTOCOL.md, "Going on after a reconnect".
  add(name: string, event: LogEvent): Accepted {
    const skipped = event.skipped ?? 0;
    const last = this.position;
    if (last && last.epoch === event.epoch) {
      if (event.sequence <= last.sequence) return 'known';
      if (event.sequence > last.sequence + 1 + skipped) return 'gap';
    }
    this.position = { epoch: event.epoch, sequence: event.sequence };
    this.eventsShown += 1;
    this.eventsSkipped += skipped;
    this.updatedAt = event.timestamp;
    this.note(name, event, skipped, this.apply(name, event));
    return 'shown';
  }

  // What the timeline says of it.
  private apply(name: string, event: LogEvent): string {
    switch (name) {
      case 'progress':
        return this.applyProgress(event as ProgressEvent);
      case 'model_result':
        return this.applyResult(event as ModelResultEvent);
      case 'clarification':
        return this.applyQuestion(event as ClarificationEvent);
      case 'completed':
        this.end = { kind: 'completed', text: bounded(JSON.stringify((event as CompletedEvent).result, null, 2)) };
        return 'the session is complete';
      case 'error': {
        const { error, final } = event as ErrorEvent;
        if (final) this.end = { kind: 'failed', text: error };
        return error;
      }
      default:
        return this.applyCustom(name, event as CustomEvent);
    }
  }

  private applyProgress(event: ProgressEvent): string {
    this.progress = event;
    if (event.status === 'EXPIRED') {
      this.end = { kind: 'expired', text: 'Nobody published to this session for its time to live.' };
    }
    return `${percent(event.progress)}, ${event.status.toLowerCase()}`;
  }

  private applyResult(event: ModelResultEvent): string {
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

  private applyQuestion(event: ClarificationEvent): string {
    put(this.questions, event.clarificationId, event, QUESTIONS_MAX);
    return event.status === 'pending' ? event.question : `${event.outcome ?? 'answered'}: ${event.response ?? event.question}`;
  }

  // A delta of a model's text goes behind what its card has; its next result replaces all of it.
  private applyCustom(name: string, { data }: CustomEvent): string {
    const delta = data?.delta;
    if (typeof delta !== 'string') return JSON.stringify(data);
    const modelName = [data.modelName, data.model, name].find((text) => typeof text === 'string') as string;
    const runId = typeof data.runId === 'string' ? data.runId : '';
    const key = `${modelName}\n${runId}`;
    const before = this.models.get(key);
    put(
      this.models,
      key,
      {
        key,
        name: modelName,
        provider: before?.provider ?? (typeof data.provider === 'string' ? data.provider : ''),
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

  private note(name: string, event: LogEvent, skipped: number, summary: string): void {
    this.timeline.push({
      key: `${event.epoch} ${event.sequence}`,
      sequence: event.sequence,
      name,
      timestamp: event.timestamp,
      summary: brief(summary ?? ''),
      skipped,
    });
    if (this.timeline.length >= 2 * TIMELINE_ENTRIES_MAX) {
      this.timeline = this.timeline.slice(-TIMELINE_ENTRIES_MAX);
    }
  }
}
