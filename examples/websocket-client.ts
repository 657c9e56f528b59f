// A complete client of one session on plain socket.io-client: reconnection, buffered events, error recovery, a state that is in step
// with the server's, and the UI. (@sessioncast/client, in client_sdk/js, is the same as a library.)
//
//   const watcher = new SessionWatcher('http://localhost:3000', sessionId, renderInto(document.querySelector('#session')!));
//   watcher.start();
//   await watcher.respond(clarificationId, 'German');
//   watcher.stop();
import { io, type Socket } from 'socket.io-client';

// --- What the server sends (docs/PROTOCOL.md)

interface Position {
  epoch: string;
  sequence: number;
}
interface Placed extends Position {
  sessionId: string;
  timestamp: string;
  skipped?: number; // how many events before this one newer ones superseded
}
interface Progress extends Placed {
  status: 'ACTIVE' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'EXPIRED';
  progress: number; // percent
  prompts: Record<'total' | 'completed' | 'processing' | 'pending' | 'failed', number>;
  hasClarifications: boolean;
  clarificationCount: number;
  hasResult?: boolean;
  result?: object;
}
interface ModelResult extends Placed {
  modelName: string;
  provider?: string;
  runId?: string;
  duration: number; // milliseconds
  result: string; // the whole so far
  status: 'processing' | 'completed' | 'failed';
  error?: string;
}
interface Clarification extends Placed {
  clarificationId: string;
  question: string;
  status: 'pending' | 'answered';
  response?: string;
}
type Completed = Placed & { result: object };
type SessionError = Placed & { error: string; final?: true };

type LogEvent =
  | { name: 'progress'; payload: Progress }
  | { name: 'model_result'; payload: ModelResult }
  | { name: 'clarification'; payload: Clarification }
  | { name: 'completed'; payload: Completed }
  | { name: 'error'; payload: SessionError }
  | { name: 'custom'; payload: Placed };
const KINDS: readonly string[] = ['progress', 'model_result', 'clarification', 'completed', 'error'];

// --- The state, as GET /api/wizard/session/{id} has it

export interface SessionState {
  progress: Progress | null;
  modelResults: ModelResult[];
  clarifications: Clarification[];
  completed: Completed | null;
  error: SessionError | null;
}
const EMPTY: SessionState = { progress: null, modelResults: [], clarifications: [], completed: null, error: null };

function replaced<T>(entries: T[], entry: T, isSame: (known: T) => boolean): T[] {
  return entries.some(isSame) ? entries.map((known) => (isSame(known) ? entry : known)) : [...entries, entry];
}

function stateAfter(state: SessionState, { name, payload }: LogEvent): SessionState {
  switch (name) {
    case 'progress':
      return { ...state, progress: payload };
    case 'model_result': {
      const { modelName, runId } = payload;
      const isSame = (known: ModelResult) => known.modelName === modelName && known.runId === runId;
      return { ...state, modelResults: replaced(state.modelResults, payload, isSame) };
    }
    case 'clarification': {
      const isSame = (known: Clarification) => known.clarificationId === payload.clarificationId;
      return { ...state, clarifications: replaced(state.clarifications, payload, isSame) };
    }
    case 'completed':
      return { ...state, completed: payload };
    case 'error':
      return payload.final ? { ...state, error: payload } : state;
    case 'custom':
      return state;
  }
}

// --- The client

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'polling';
export type Render = (state: SessionState, connection: Connection, problem: string) => void;

const FRAME_MS = 16;
const BUFFERED_EVENTS_MAX = 1_000;
const RETRY_MS = 1_000;

export class SessionWatcher {
  private readonly socket: Socket;
  private state = EMPTY;
  private position: Position | null = null;
  private connection: Connection = 'connecting';
  private problem = '';
  private hasAsked = false;
  private buffered: LogEvent[] = [];
  private frame: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly sessionId: string,
    private readonly render: Render,
    path = '/socket.io/',
    private readonly token?: () => string, // where the server asks for one
  ) {
    // Reconnection: socket.io-client comes back by itself, with growing waits, for as long as it takes.
    // Where a proxy lets no websocket through, it goes on by polling.
    this.socket = io(url, {
      path,
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      autoConnect: false,
      forceNew: true,
      reconnectionDelayMax: 5_000,
      ...(token && { auth: (present: (auth: object) => void) => present({ token: token() }) }),
    });
    this.socket.on('connect', () => this.subscribe());
    this.socket.on('disconnect', () => this.show('reconnecting'));
    this.socket.on('connect_error', (error) => this.pollMeanwhile(error.message));
    this.socket.on('token_expiring', () => token && this.socket.emit('refresh_token', token()));
    this.socket.onAny((name: string, payload: Partial<Placed & SessionError>) => {
      const isPlaced = payload.sequence !== undefined && payload.sessionId === sessionId;
      if (name === 'subscribed' && isPlaced) this.goOnFrom(payload as Placed);
      else if (name === 'resync' && isPlaced) this.beginAnew(payload as Placed);
      else if (isPlaced) this.arrived(name, payload as Placed);
      // An `error` without a sequence answers something that this client sent.
      else if (name === 'error') this.show(this.connection, payload.error);
    });
  }

  start(): void {
    this.socket.connect();
  }

  stop(): void {
    clearTimeout(this.frame);
    clearTimeout(this.retry);
    this.socket.disconnect();
  }

  /**
   * Answers a question, and tries again while nobody can tell whether the answer counts. False: it does not, since somebody was first,
   * or its time was over. Throws when the server does not take it.
   */
  async respond(clarificationId: string, response: string): Promise<boolean> {
    const body = JSON.stringify({ sessionId: this.sessionId, clarificationId, response });
    for (;;) {
      const headers = { 'Content-Type': 'application/json', ...this.authorization() };
      const answer = await fetch(`${this.url}/api/wizard/clarifications/respond`, { method: 'POST', headers, body }).catch(() => null);
      if (answer && answer.status < 500) {
        const said = (await answer.json().catch(() => ({}))) as { response?: string; error?: string };
        if (answer.ok) return true;
        // The reply to a try before may have been lost: then this one tells of our own answer.
        if (answer.status === 409) return said.response === response;
        if (answer.status === 410) return false;
        throw new Error(said.error ?? `answered by ${answer.status}`);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private authorization(): Record<string, string> {
    return this.token ? { Authorization: `Bearer ${this.token()}` } : {};
  }

  // State synchronization: by id the state comes first; after a position only what this client has not seen.
  private subscribe(): void {
    clearTimeout(this.retry);
    this.hasAsked = true;
    const { sessionId, position } = this;
    this.socket.emit('subscribe', position ? { sessionId, after: position } : sessionId);
  }

  private goOnFrom({ epoch, sequence }: Placed): void {
    this.hasAsked = false;
    this.position = { epoch, sequence };
    this.show('live', '');
  }

  private beginAnew(at: Placed): void {
    this.flush();
    this.state = EMPTY;
    this.goOnFrom(at);
  }

  private arrived(name: string, payload: Placed): void {
    const { position } = this;
    if (!position) return;
    const isKnownEpoch = position.epoch === '' || position.epoch === payload.epoch;
    if (isKnownEpoch && payload.sequence <= position.sequence) return; // comes again
    if (!isKnownEpoch || payload.sequence > position.sequence + 1 + (payload.skipped ?? 0)) {
      if (!this.hasAsked) this.subscribe(); // something is missing
      return;
    }
    this.position = { epoch: payload.epoch, sequence: payload.sequence };
    this.buffer({ name: KINDS.includes(name) ? name : 'custom', payload } as LogEvent);
  }

  // Event buffering: a burst of events makes one update of the UI.
  private buffer(event: LogEvent): void {
    this.buffered.push(event);
    if (this.buffered.length >= BUFFERED_EVENTS_MAX) this.flush();
    this.frame ??= setTimeout(() => this.flush(), FRAME_MS);
  }

  private flush(): void {
    clearTimeout(this.frame);
    this.frame = undefined;
    this.state = this.buffered.splice(0).reduce(stateAfter, this.state);
    this.show(this.connection);
  }

  // Error recovery: while no socket can be had, the state comes by REST.
  private pollMeanwhile(problem: string): void {
    this.show(this.connection, problem);
    clearTimeout(this.retry);
    this.retry = setTimeout(async () => {
      const answer = await fetch(`${this.url}/api/wizard/session/${this.sessionId}`, { headers: this.authorization() }).catch(() => null);
      const fetched: unknown = answer?.ok ? await answer.json().catch(() => null) : null;
      if (this.socket.connected) return;
      if (fetched) {
        this.flush();
        const { epoch, sequence, ...state } = fetched as SessionState & Position;
        this.state = state;
        this.position = { epoch, sequence };
        this.show('polling');
      }
      if (!this.socket.active) this.socket.connect(); // refused (a token, for example): socket.io-client does not try again
    }, RETRY_MS);
  }

  private show(connection: Connection, problem = this.problem): void {
    this.connection = connection;
    this.problem = problem;
    this.render(this.state, connection, problem);
  }
}

// --- UI integration: the state as text, wherever it is put

export function renderInto(element: HTMLElement): Render {
  return (state, connection, problem) => {
    const lines = [
      `${connection}${problem && `: ${problem}`}`,
      `${state.progress?.progress ?? 0} % ${state.progress?.status ?? ''}`,
      ...state.modelResults.map(({ modelName, status, result, error }) => `${modelName} (${status}): ${error ?? result}`),
      ...state.clarifications.map(({ question, status, response }) => `${question} ${response ?? `(${status})`}`),
      ...(state.completed ? [`Completed: ${JSON.stringify(state.completed.result)}`] : []),
      ...(state.error ? [`Failed: ${state.error.error}`] : []),
    ];
    element.replaceChildren(...lines.map((line) => Object.assign(element.ownerDocument.createElement('p'), { textContent: line })));
  };
}
