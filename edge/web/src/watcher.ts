// The page's one connection, and the session that it shows: the SDK's client reads, so that each event comes once and in order
// whatever the connection does; this keeps what the page tells of it.
//
// Each event is taken into the model at once, which is cheap; React hears of it once a frame.
import { SessionClient } from '../../../client_sdk/js/src/client';
import { AnswerError } from '../../../client_sdk/js/src/errors';
import type { Session } from '../../../client_sdk/js/src/session';
import { demoPointer } from './address';
import type { Position } from './events';
import { Changes } from './frames';
import { SessionLog } from './session_log';
import { authorization, currentToken, keepToken } from './token';

const POINTER_CHECK_MS = 60_000;
const TIMELINE_INTERVAL_MS = 250;

export type ConnectionState = 'connecting' | 'connected' | 'disconnected' | 'unauthorized';

interface Loss {
  at: number;
  from: Position | null; // the last event before
  seen: number; // counters of the log
  skipped: number;
}

// How the last lost connection came back.
export interface Return {
  loss: Loss;
  awayMs: number;
  recovered: boolean;
  edge: string;
  top: number | null; // the last event there was at the return; null: not known
  caughtUp: { seen: number; skipped: number } | null;
  startedAgain: boolean; // what was missed is not kept any more: the state came instead
}

export type Outcome = { counts: 'yes' | 'no' | 'unknown'; text: string };

export class Watcher {
  readonly changes = new Changes();
  readonly timelineChanges = new Changes(TIMELINE_INTERVAL_MS);

  state: ConnectionState = 'connecting';
  detail = '';
  edge = ''; // '': it does not say
  transport = '';
  tokenEndsAt = '';
  session: Session | null = null;
  log: SessionLog | null = null;
  back: Return | null = null;
  followsDemo = false;

  private readonly client = new SessionClient(location.origin, { token: () => currentToken() || undefined, recovery: true });
  private pointer: Session | null = null;
  private loss: Loss | null = null;

  constructor() {
    this.listen();
    // The demo's pointer has the day in its name.
    setInterval(() => {
      if (this.pointer) this.followDemo();
    }, POINTER_CHECK_MS);
  }

  // Why the server does not show this session. Where it wants a token first, that is what the page says.
  get refusal(): string {
    return this.state === 'unauthorized' ? '' : (this.session?.refusal ?? '');
  }

  // --- which session is shown

  show(sessionId: string): void {
    if (sessionId === '') return this.followDemo();
    this.unfollowDemo();
    this.watch(sessionId);
  }

  private followDemo(): void {
    if (this.pointer?.id === demoPointer()) return;
    this.unfollowDemo();
    this.watch('');
    this.pointer = this.client.session(demoPointer());
    this.pointer.on('progress', ({ result }) => {
      if (typeof result?.sessionId !== 'string') return;
      this.followsDemo = true;
      this.watch(result.sessionId);
    });
  }

  private unfollowDemo(): void {
    this.pointer?.close();
    this.pointer = null;
    this.followsDemo = false;
  }

  private watch(sessionId: string): void {
    if (sessionId === (this.session?.id ?? '')) return;
    this.session?.close();
    this.session = sessionId ? this.client.session(sessionId) : null;
    this.log = sessionId ? new SessionLog() : null;
    this.back = null;
    this.loss = null;
    if (this.session && this.log) this.read(this.session, this.log);
    this.changed();
  }

  private read(session: Session, log: SessionLog): void {
    session.on('event', (event) => {
      log.add(event);
      this.catchUp();
      this.changed();
    });
    session.on('resync', () => {
      log.startAgain();
      if (this.back && !this.back.caughtUp) this.back.startedAgain = true;
    });
    session.on('change', () => this.changed());
  }

  private changed(): void {
    this.changes.changed();
    this.timelineChanges.changed();
  }

  // --- what the person does

  // Once it is known, however long that takes.
  async answer(clarificationId: string, response: string): Promise<Outcome> {
    try {
      await this.session?.answer(clarificationId, response);
      return { counts: 'yes', text: '' };
    } catch (error) {
      const { reason, message } = error as AnswerError;
      const hasEnded = reason === 'answered' || reason === 'expired' || reason === 'cancelled';
      return { counts: hasEnded ? 'no' : 'unknown', text: message };
    }
  }

  // Why it is of no use; '': it is used.
  async useToken(token: string): Promise<string> {
    const before = currentToken();
    keepToken(token);
    try {
      await this.client.refreshToken();
    } catch (error) {
      keepToken(before);
      return (error as Error).message;
    }
    this.tokenEndsAt = '';
    if (this.state === 'unauthorized') this.setState('connecting', '');
    this.changed();
    return '';
  }

  // --- what happens

  private listen(): void {
    const { socket } = this.client;
    socket.on('connect', () => this.connected());
    socket.on('disconnect', (reason) => {
      this.setState('disconnected', reason);
      const { session, log } = this;
      this.loss = {
        at: performance.now(),
        from: session?.position ?? null,
        seen: log?.eventsShown ?? 0,
        skipped: log?.eventsSkipped ?? 0,
      };
    });
    socket.on('connect_error', (error) => {
      if (error.message === 'unauthorized') this.setState('unauthorized', '');
      else this.setState('disconnected', 'the server is away');
    });
    socket.on('token_expiring', ({ expiresAt }) => {
      this.tokenEndsAt = expiresAt;
      this.changed();
    });
  }

  private connected(): void {
    this.setState('connected', '');
    this.tokenEndsAt = '';
    const { engine } = this.client.socket.io;
    const id = (engine as unknown as { id: string }).id;
    // A balancer's name for the edge, where it has one (--sid_suffix).
    this.edge = id.includes('.') ? id.slice(id.indexOf('.') + 1) : '';
    this.transport = engine.transport.name;
    engine.once('upgrade', () => {
      this.transport = engine.transport.name;
      this.changed();
    });
    if (this.loss && this.session) void this.noteReturn(this.session.id, this.loss);
    this.loss = null;
  }

  // How much was missed is known from where the session is now.
  private async noteReturn(sessionId: string, loss: Loss): Promise<void> {
    const back: Return = {
      loss,
      awayMs: performance.now() - loss.at,
      recovered: this.client.socket.recovered,
      edge: this.edge,
      top: null,
      caughtUp: null,
      startedAgain: false,
    };
    this.back = back;
    try {
      const response = await fetch(`/api/wizard/session/${encodeURIComponent(sessionId)}`, { headers: authorization() });
      if (response.ok) {
        const now = (await response.json()) as Position;
        if (!loss.from || now.epoch === loss.from.epoch) back.top = now.sequence;
      }
    } catch {
      // Then it is not known.
    }
    this.catchUp();
    this.changed();
  }

  private catchUp(): void {
    const { back, session, log } = this;
    if (!back || !log || back.caughtUp || back.top === null) return;
    const at = session?.position?.sequence ?? 0;
    if (at < back.top) return;
    const seen = Math.max(0, log.eventsShown - back.loss.seen - (at - back.top));
    back.caughtUp = { seen, skipped: log.eventsSkipped - back.loss.skipped };
  }

  private setState(state: ConnectionState, detail: string): void {
    this.state = state;
    this.detail = detail;
    this.changed();
  }
}
