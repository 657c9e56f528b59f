// Where the connection is, and how the last one that was lost came back.
import { count, counted, duration } from './format';
import type { ConnectionState, Return, Watcher } from './watcher';

const WORDS: Record<ConnectionState, string> = {
  connecting: 'connecting …',
  connected: 'connected',
  disconnected: 'coming back …',
  unauthorized: 'a token is needed',
};

export function Connection({ watcher }: { watcher: Watcher }) {
  const { state, detail, transport, edge } = watcher;
  const about = state === 'connected' ? [transport, edge && `edge ${edge}`] : [detail];
  return (
    <p id="connection" className="connection" role="status" data-state={state}>
      <span className="dot" aria-hidden="true" />
      {WORDS[state]}
      <span className="about">{about.filter(Boolean).join(' · ')}</span>
    </p>
  );
}

function missed(back: Return): string {
  if (back.startedAgain) return 'What was missed is not kept any more: the state as it is now came instead.';
  if (back.top === null) return 'How much was missed is not known.';
  const before = back.loss.from?.sequence ?? 0;
  const there = Math.max(0, back.top - before);
  if (there === 0) return 'Nothing was missed.';
  if (!back.caughtUp) return `${counted(there, 'event')} happened meanwhile; catching up …`;
  const { seen, skipped } = back.caughtUp;
  const superseded = skipped > 0 ? `, ${count(skipped)} of them superseded by later ones and left out` : '';
  return seen + skipped >= there
    ? `${counted(there, 'event')} happened meanwhile: all caught up${superseded}.`
    : `${counted(there, 'event')} happened meanwhile; ${count(seen)} came${superseded}.`;
}

export function ReturnNotice({ back }: { back: Return }) {
  const how = back.recovered ? 'The connection was recovered' : 'A new connection was made';
  return (
    <div className="card return" role="status" data-recovered={back.recovered} data-caught-up={back.caughtUp !== null}>
      <strong>
        {how} after {duration(back.awayMs)}
        {back.edge && ` at edge ${back.edge}`}.
      </strong>{' '}
      {missed(back)}
    </div>
  );
}
