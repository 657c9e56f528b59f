// The list of sessions, asked for again every few seconds while somebody looks; the longer it is, the more seldom.
import { useEffect, useState } from 'react';

import type { SessionSummary } from './events';
import { authorization } from './token';

const POLL_MS_PER_PAGE = 3_000;
const PAGE_SIZE = 1000;
const PAGES_MAX = 5;

export interface SessionList {
  sessions: SessionSummary[]; // the newest first
  isLoaded: boolean;
  isWhole: boolean; // false: there are more than are asked for
  why: string; // why there is none, or no newer one; '': there is
  code: number;
}

const NOTHING: SessionList = { sessions: [], isLoaded: false, isWhole: true, why: '', code: 0 };

class Refused extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

async function load(signal: AbortSignal): Promise<SessionList> {
  const sessions: SessionSummary[] = [];
  let token = '';
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ page_size: String(PAGE_SIZE), page_token: token });
    const response = await fetch(`/api/wizard/sessions?${query}`, { headers: authorization(), signal });
    const body = await response.json();
    if (!response.ok) throw new Refused(response.status, body.error);
    sessions.push(...body.sessions);
    token = body.nextPageToken;
    if (token === '') break;
  }
  sessions.sort((one, other) => other.createdAt.localeCompare(one.createdAt));
  return { sessions, isLoaded: true, isWhole: token === '', why: '', code: 200 };
}

// `key`: asked for anew at once when it changes.
export function useSessionList(key: unknown): SessionList {
  const [list, setList] = useState(NOTHING);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let pages = 1;
    const poll = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      try {
        const loaded = await load(abort.signal);
        pages = Math.max(1, Math.ceil(loaded.sessions.length / PAGE_SIZE));
        if (!abort.signal.aborted) setList(loaded);
      } catch (error) {
        if (abort.signal.aborted) return;
        const refused = error instanceof Refused ? error : new Refused(0, 'The server is away.');
        // What was shown stays while the server is away.
        setList((shown) => ({
          ...(refused.code === 401 || refused.code === 403 ? NOTHING : shown),
          isLoaded: true,
          why: refused.message,
          code: refused.code,
        }));
      }
      if (!abort.signal.aborted) timer = setTimeout(poll, POLL_MS_PER_PAGE * pages);
    };
    const look = () => void poll();
    document.addEventListener('visibilitychange', look);
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, [key]);
  return list;
}
