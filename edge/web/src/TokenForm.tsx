// Where the server asks for a token, and when the one that it has is about to end.
import { useId, useState, type FormEvent } from 'react';

import { clock } from './format';
import { currentToken } from './token';
import type { Watcher } from './watcher';

interface Props {
  watcher: Watcher;
  onToken: (token: string) => Promise<string>; // why it is of no use; '': it is used
}

export function TokenForm({ watcher, onToken }: Props) {
  const [token, setToken] = useState('');
  const [why, setWhy] = useState('');
  const id = useId();
  const isRefused = watcher.state === 'unauthorized';
  if (!isRefused && !watcher.tokenEndsAt) return null;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setWhy(await onToken(token.trim()));
    setToken('');
  };
  const what = !isRefused
    ? `Your token ends at ${clock(watcher.tokenEndsAt)}. With another one the connection stays.`
    : currentToken()
      ? 'The server does not accept this token. It may have ended.'
      : 'This server asks for a token.';
  return (
    <form className="card token" aria-label="Token" onSubmit={submit}>
      <label htmlFor={id}>{what}</label>
      <div className="row">
        <input
          id={id}
          name="token"
          type="password"
          required
          autoComplete="off"
          spellCheck={false}
          placeholder="eyJ…"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <button>Use this token</button>
      </div>
      <p className="about" role="status">
        {why || 'It is kept in this tab only, until you close it.'}
      </p>
    </form>
  );
}
