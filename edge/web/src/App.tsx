import { useEffect, useState } from 'react';

import { sessionInAddress } from './address';
import { Connection, ReturnNotice } from './Connection';
import { percent } from './format';
import { useChanges } from './frames';
import { SessionListView } from './SessionListView';
import { SessionView } from './SessionView';
import { TokenForm } from './TokenForm';
import type { Watcher } from './watcher';

function useChosenSession(): string {
  const [chosen, setChosen] = useState(() => sessionInAddress(location));
  useEffect(() => {
    const read = () => setChosen(sessionInAddress(location));
    addEventListener('hashchange', read);
    return () => removeEventListener('hashchange', read);
  }, []);
  return chosen;
}

export function App({ watcher }: { watcher: Watcher }) {
  useChanges(watcher.changes);
  const chosen = useChosenSession();
  const [tokensGiven, setTokensGiven] = useState(0);
  useEffect(() => watcher.show(chosen), [watcher, chosen]);

  const { session, log, back } = watcher;
  const progress = session?.state.progress;
  useEffect(() => {
    document.title = session ? `${progress ? `${percent(progress.progress)} · ` : ''}${session.id}` : 'Sessioncast';
  }, [session, progress]);

  const giveToken = async (token: string) => {
    const why = await watcher.useToken(token);
    setTokensGiven((before) => before + 1);
    return why;
  };

  return (
    <>
      <a className="skip" href="#main" onClick={(event) => {
        // The part of the address behind '#' is the session's.
        event.preventDefault();
        document.getElementById('main')?.focus();
      }}>
        Skip to the session
      </a>
      <header className="top">
        <a className="brand" href="/">
          <span className="mark" aria-hidden="true" />
          <h1>Sessioncast</h1>
        </a>
        <Connection watcher={watcher} />
      </header>
      <TokenForm watcher={watcher} onToken={giveToken} />
      <div className="columns">
        <main id="main" tabIndex={-1}>
          {back && <ReturnNotice back={back} />}
          {session && log ? <SessionView key={session.id} watcher={watcher} session={session} log={log} /> : <Welcome />}
        </main>
        <SessionListView shown={session?.id ?? ''} tokensGiven={tokensGiven} />
      </div>
    </>
  );
}

function Welcome() {
  return (
    <section className="card welcome">
      <h2>Choose a session</h2>
      <p>
        Pick one from the list, or type its id. When the demo of <code>./tools/run</code> publishes, its session is
        shown here by itself.
      </p>
    </section>
  );
}
