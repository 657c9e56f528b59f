import { type FormEvent, useState } from 'react';
import type { Socket } from 'socket.io-client';

import { type Clarification, type ModelResult, useSessionWebSocket } from './useSessionWebSocket';

export function App({ server, initialSession }: { server: string; initialSession: string | null }) {
  const [sessionId, setSessionId] = useState(initialSession);
  const { socket, isConnected, progress, modelResults, clarifications, isCompleted, error } = useSessionWebSocket(server, sessionId);
  return (
    <main>
      <Choose choose={setSessionId} />
      <h1>{sessionId ?? 'Which session?'}</h1>
      <p id="connection">{isConnected ? 'connected' : 'not connected'}</p>
      {error && <p role="alert">{error}</p>}
      {progress && (
        <p id="progress">
          <progress max={100} value={progress.progress} /> {progress.progress} % {progress.status}
        </p>
      )}
      {modelResults.map((result) => (
        <Result key={`${result.modelName} ${result.runId ?? ''}`} result={result} />
      ))}
      {clarifications.map((clarification) => (
        <Question key={clarification.clarificationId} socket={socket} sessionId={sessionId ?? ''} clarification={clarification} />
      ))}
      {isCompleted && <p id="end">Completed</p>}
    </main>
  );
}

function Choose({ choose }: { choose: (sessionId: string) => void }) {
  const [text, setText] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    choose(text);
  };
  return (
    <form id="choose" onSubmit={submit}>
      <input value={text} onChange={(event) => setText(event.target.value)} placeholder="session id" />
      <button>Show</button>
    </form>
  );
}

function Result({ result: { modelName, status, result, error } }: { result: ModelResult }) {
  return (
    <section className="model" data-status={status}>
      <h2>{modelName}</h2>
      <p>{error ?? result}</p>
    </section>
  );
}

interface QuestionProps {
  socket: Socket | null;
  sessionId: string;
  clarification: Clarification;
}

function Question({ socket, sessionId, clarification: { clarificationId, question, status, response } }: QuestionProps) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    socket?.emit('clarification_response', { sessionId, clarificationId, response: text }, (answer: { error?: string }) =>
      setProblem(answer.error ?? ''),
    );
  };
  return (
    <section className="question" data-status={status}>
      <p>{question}</p>
      {status === 'answered' ? (
        <p>Answer: {response ?? 'none'}</p>
      ) : (
        <form onSubmit={submit}>
          <input value={text} onChange={(event) => setText(event.target.value)} />
          <button>Answer</button>
        </form>
      )}
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}
