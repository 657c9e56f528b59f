// The page's one connection, and the session that it shows.
//
// Each event is taken into the model at once, which is cheap; React hears of it once a frame.
import { io, type Socket } from 'socket.io-client';

import { demoPointer } from './address';
import { BESIDE_THE_LOG, type LogEvent, type Position, type ProgressEvent } from './events';
import { Changes } from './frames';
import { SessionLog } from './session_log';
import { authorization, currentToken, keepToken } from './token';

const ANSWER_MS_MAX = 10_000;
const POINTER_CHECK_MS = 60_000;
const SENT_AWAY_MS = 3_000;
const TIMELINE_INTERVAL_MS = 250;
const HAPPENINGS_MAX = 20;

export type ConnectionState = 'connecting' | 'connected' | 'disconnected' | 'unauthorized';

// How one lost connection came back.
export interface Return {
  at: number;
  awayMs: number;
  recovered: boolean;
  edge: string;
  from: Position | null; // the last event before
  top: number | null; // the last event there was at the return; null: not known
  seenBefore: number; // counters of the log at the loss
  skippedBefore: number;
  caughtUp: { seen: number; skipped: number } | null;
  startedAgain: boolean; // what was missed is not kept any more: the state came instead
}

export type Outcome = { counts: 'yes' | 'no' | 'unknown'; text: string };

export class Watcher {
  readonly changes = new Changes();
  readonly timelineChanges = new Changes(TIMELINE_INTERVAL_MS);
  readonly socket: Socket;

  state: ConnectionState = 'connecting';
  detail = '';
  edge = ''; // '': it does not say
  transport = '';
  tokenEndsAt = '';
  returns: Return[] = [];
  log: SessionLog | null = null;
  refusal = ''; // why the server does not show this session
  followsDemo = false;

  private pointer = '';
  private held = new Set<string>(); // sessions that the server has confirmed
  private isAskingAgain = false; // after a gap
  private lostAt = 0;
  private lostFrom: Position | null = null;
  private lostSeen = 0;
  private lostSkipped = 0;

  constructor() {
    this.socket = io({
      transports: ['websocket', 'polling'],
      reconnectionDelay: 500,
      reconnectionDelayMax: 3_000,
      auth: (present) => present(currentToken() ? { token: currentToken() } : {}),
    });
    this.listen();
    // The demo's pointer has the day in its name.
    setInterval(() => {
      if (this.pointer && this.pointer !== demoPointer()) this.followDemo();
    }, POINTER_CHECK_MS);
  }

  // --- which session is shown

  show(sessionId: string): void {
    if (sessionId === '') return this.followDemo();
    this.unfollowDemo();
    this.watch(sessionId);
  }

  private followDemo(): void {
    if (this.pointer === demoPointer()) return;
    this.unfollowDemo();
    this.pointer = demoPointer();
    this.watch('');
    if (this.socket.connected) this.socket.emit('subscribe', this.pointer);
  }

  private unfollowDemo(): void {
    if (this.pointer) this.leave(this.pointer);
    this.pointer = '';
    this.followsDemo = false;
  }

  private watch(sessionId: string): void {
    if (sessionId === (this.log?.sessionId ?? '')) return;
    if (this.log) this.leave(this.log.sessionId);
    this.log = sessionId ? new SessionLog(sessionId) : null;
    this.refusal = '';
    this.returns = [];
    this.lostAt = 0;
    if (this.socket.connected) this.subscribe();
    this.changed();
  }

  // While there is no connection: at the next one.
  private leave(sessionId: string): void {
    if (!this.socket.connected) return;
    this.socket.emit('unsubscribe', sessionId);
    this.held.delete(sessionId);
  }

  private subscribe(): void {
    this.isAskingAgain = false;
    if (!this.log) return;
    const { sessionId, position } = this.log;
    this.socket.emit('subscribe', position ? { sessionId, after: position } : sessionId);
  }

  private changed(): void {
    this.changes.changed();
    this.timelineChanges.changed();
  }

  // --- what the person does

  async answer(clarificationId: string, response: string): Promise<Outcome> {
    const sessionId = this.log?.sessionId;
    try {
      const reply = await this.socket
        .timeout(ANSWER_MS_MAX)
        .emitWithAck('clarification_response', { sessionId, clarificationId, response });
      if (!reply.error) return { counts: 'yes', text: '' };
      return { counts: reply.outcome ? 'no' : 'unknown', text: reply.error };
    } catch {
      return { counts: 'unknown', text: 'There was no reply; please try again.' };
    }
  }

  async useToken(token: string): Promise<string> {
    if (this.socket.connected) {
      const reply = await this.socket
        .timeout(ANSWER_MS_MAX)
        .emitWithAck('refresh_token', token)
        .catch(() => ({ error: 'there was no reply' }));
      if (reply.error) return reply.error;
      this.tokenEndsAt = '';
    }
    keepToken(token);
    if (!this.socket.connected) this.socket.disconnect().connect();
    this.state = this.socket.connected ? 'connected' : 'connecting';
    this.changed();
    return '';
  }

  // --- what happens

  private listen(): void {
    this.socket.on('connect', () => this.connected());
    this.socket.on('disconnect', (reason) => {
      this.setState('disconnected', reason);
      this.lostAt = performance.now();
      this.lostFrom = this.log?.position ?? null;
      this.lostSeen = this.log?.eventsShown ?? 0;
      this.lostSkipped = this.log?.eventsSkipped ?? 0;
      // Sent away by the server (for a limit), the client does not come back by itself.
      if (!this.socket.active) setTimeout(() => this.socket.connect(), SENT_AWAY_MS);
    });
    this.socket.on('connect_error', (error) => {
      if (error.message === 'unauthorized') this.setState('unauthorized', '');
      else this.setState('disconnected', 'the server is away');
    });
    this.socket.on('subscribed', (data: Position & { sessionId: string }) => {
      this.held.add(data.sessionId);
      if (data.sessionId !== this.log?.sessionId) return;
      this.refusal = '';
      this.isAskingAgain = false;
      this.log.moveTo(data);
      this.changed();
    });
    this.socket.on('resync', (data: Position & { sessionId: string }) => {
      if (data.sessionId !== this.log?.sessionId) return;
      this.log.startAgain(data);
      const last = this.returns[0];
      if (last && !last.caughtUp) last.startedAgain = true;
      this.changed();
    });
    this.socket.on('token_expiring', (data: { expiresAt: string }) => {
      this.tokenEndsAt = data.expiresAt;
      this.changed();
    });
    this.socket.onAny((name: string, data: LogEvent) => this.event(name, data));
  }

  private connected(): void {
    this.setState('connected', '');
    this.tokenEndsAt = '';
    const { engine } = this.socket.io;
    const id = (engine as unknown as { id: string }).id;
    // A balancer's name for the edge, where it has one (--sid_suffix).
    this.edge = id.includes('.') ? id.slice(id.indexOf('.') + 1) : '';
    this.transport = engine.transport.name;
    engine.once('upgrade', () => {
      this.transport = engine.transport.name;
      this.changes.changed();
    });
    if (this.lostAt && this.log) void this.noteReturn(this.log);
    this.lostAt = 0;
    this.holdAgain();
  }

  // A recovered connection has its sessions still, and goes on in each where this page was.
  private holdAgain(): void {
    const wanted = new Set([this.pointer, this.log?.sessionId ?? ''].filter(Boolean));
    if (!this.socket.recovered) this.held.clear();
    for (const sessionId of this.held) if (!wanted.has(sessionId)) this.leave(sessionId);
    if (this.pointer && !this.held.has(this.pointer)) this.socket.emit('subscribe', this.pointer);
    if (this.log && !this.held.has(this.log.sessionId)) this.subscribe();
  }

  // How much was missed is known from where the session is now.
  private async noteReturn(log: SessionLog): Promise<void> {
    const back: Return = {
      at: Date.now(),
      awayMs: performance.now() - this.lostAt,
      recovered: this.socket.recovered,
      edge: this.edge,
      from: this.lostFrom,
      top: null,
      seenBefore: this.lostSeen,
      skippedBefore: this.lostSkipped,
      caughtUp: null,
      startedAgain: false,
    };
    this.returns = [back, ...this.returns].slice(0, HAPPENINGS_MAX);
    try {
      const response = await fetch(`/api/wizard/session/${log.sessionId}`, { headers: authorization() });
      if (response.ok) {
        const now = (await response.json()) as Position;
        if (!back.from || now.epoch === back.from.epoch) back.top = now.sequence;
      }
    } catch {
      // Then it is not known.
    }
    this.catchUp(log);
    this.changed();
  }

  private catchUp(log: SessionLog): void {
    for (const back of this.returns) {
      if (back.caughtUp || back.top === null) continue;
      if (log.position ? log.position.sequence < back.top : back.top > 0) continue;
      const beyond = (log.position?.sequence ?? 0) - back.top;
      const skipped = log.eventsSkipped - back.skippedBefore;
      const seen = Math.max(0, log.eventsShown - back.seenBefore - beyond);
      back.caughtUp = { seen, skipped };
    }
  }

  private setState(state: ConnectionState, detail: string): void {
    this.state = state;
    this.detail = detail;
    this.changed();
  }

  private event(name: string, data: LogEvent): void {
    if (BESIDE_THE_LOG.has(name) || !data) return;
    if (this.pointer && data.sessionId === this.pointer) return this.pointed(name, data);
    if (data.sequence === undefined) {
      // Not of a session's log: it answers what this page has sent.
      const isOfThis = !data.sessionId || data.sessionId === this.log?.sessionId;
      if (name === 'error' && isOfThis) this.refusal = (data as unknown as { error: string }).error;
    } else if (data.sessionId === this.log?.sessionId) {
      const accepted = this.log.add(name, data);
      if (accepted === 'shown') this.refusal = '';
      if (accepted === 'gap' && !this.isAskingAgain) {
        this.subscribe();
        this.isAskingAgain = true;
      }
      this.catchUp(this.log);
    }
    this.changed();
  }

  private pointed(name: string, data: LogEvent): void {
    const sessionId = name === 'progress' ? (data as ProgressEvent).result?.sessionId : undefined;
    if (typeof sessionId !== 'string') return;
    this.followsDemo = true;
    this.watch(sessionId);
  }
}
