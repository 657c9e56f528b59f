// A session in a React component.
import { useCallback, useSyncExternalStore } from 'react';

import type { SessionClient } from './client.js';
import { INITIAL_VIEW, type SessionView } from './shared_session.js';

export interface UsedSession extends SessionView {
  /** As {@link Session.answer}; rejects when there is no session id. */
  answer: (clarificationId: string, response: string) => Promise<void>;
}

/**
 * The session's state, and how its connection is, for as long as the component is mounted.
 *
 * @param client One for the whole page, made outside of components or in a state.
 * @param sessionId Which; with null or undefined nothing is opened.
 */
export function useSession(client: SessionClient, sessionId: string | null | undefined): UsedSession {
  const subscribe = useCallback(
    (changed: () => void) => {
      if (sessionId == null) return () => {};
      const session = client.session(sessionId);
      session.on('change', changed);
      return () => session.close();
    },
    [client, sessionId],
  );
  const look = () => (sessionId == null ? INITIAL_VIEW : client.viewOf(sessionId));
  const { state, connection } = useSyncExternalStore(subscribe, look, () => INITIAL_VIEW);
  const answer = useCallback(
    async (clarificationId: string, response: string) => {
      if (sessionId == null) throw new Error('answer(): there is no session id');
      const session = client.session(sessionId);
      try {
        await session.answer(clarificationId, response);
      } finally {
        session.close();
      }
    },
    [client, sessionId],
  );
  return { state, connection, answer };
}
