// The sessions there are: the newest first, to be searched, or opened by an id that is not listed.
import { memo, useEffect, useId, useMemo, useState, type FormEvent } from 'react';

import { addressOf } from './address';
import type { SessionSummary } from './events';
import { ago, count, counted } from './format';
import { Status } from './Status';
import { useSessionList, type SessionList } from './session_list';

const ROWS_MAX = 100;

function useNow(intervalMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

function whyNone(list: SessionList, isSearch: boolean): string {
  if (!list.isLoaded) return 'Loading …';
  if (list.code === 401) return 'The list needs a token.';
  if (list.code === 403) return 'This token may not list sessions. Open one by its id.';
  if (list.why) return list.sessions.length > 0 ? `Not up to date: ${list.why}` : list.why;
  if (list.sessions.length === 0) return 'There is no session yet.';
  return isSearch ? 'No id has this in it. Open looks for a session of exactly this id.' : '';
}

export const SessionListView = memo(function SessionListView({ shown, tokensGiven }: { shown: string; tokensGiven: number }) {
  const list = useSessionList(tokensGiven);
  const now = useNow(5_000);
  const [search, setSearch] = useState('');
  const id = useId();
  const wanted = search.trim();
  const found = useMemo(
    () => list.sessions.filter(({ sessionId }) => sessionId.toLowerCase().includes(wanted.toLowerCase())),
    [list.sessions, wanted],
  );
  const open = (event: FormEvent) => {
    event.preventDefault();
    if (wanted) location.hash = addressOf(wanted);
  };
  const why = found.length === 0 || list.why ? whyNone(list, wanted !== '') : '';
  const more = found.length - ROWS_MAX;
  return (
    <nav className="list" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>
        Sessions{' '}
        {list.sessions.length > 0 && (
          <span className="about">
            {count(list.sessions.length)}
            {!list.isWhole && '+'}
          </span>
        )}
      </h2>
      <form className="row" role="search" onSubmit={open}>
        <label className="unseen" htmlFor={`${id}-search`}>
          Find a session, or open one by its id
        </label>
        <input
          id={`${id}-search`}
          name="session"
          type="search"
          maxLength={128}
          placeholder="Find, or open by id"
          autoComplete="off"
          spellCheck={false}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <button disabled={!wanted}>Open</button>
      </form>
      {why && (
        <p className="about why" role="status">
          {why}
        </p>
      )}
      <ul>
        {found.slice(0, ROWS_MAX).map((session) => (
          <Row key={session.sessionId} session={session} isShown={session.sessionId === shown} when={ago(session.updatedAt, now)} />
        ))}
      </ul>
      {more > 0 && <p className="about">and {count(more)} more; search for them by id</p>}
    </nav>
  );
});

const Row = memo(
  function Row({ session, isShown, when }: { session: SessionSummary; isShown: boolean; when: string }) {
    return (
      <li>
        <a href={addressOf(session.sessionId)} aria-current={isShown ? 'page' : undefined}>
          <span className="id">{session.sessionId}</span>
          <span className="about">
            <Status status={session.status} />
            <span>
              {counted(session.sequence, 'event')} · {when}
            </span>
          </span>
        </a>
      </li>
    );
  },
  (one, other) =>
    one.isShown === other.isShown &&
    one.when === other.when &&
    one.session.sequence === other.session.sequence &&
    one.session.status === other.session.status &&
    one.session.sessionId === other.session.sessionId,
);
