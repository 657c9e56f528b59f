import { useEffect, useState } from 'react';
import { io, type Socket } from 'socket.io-client';

export interface SessionProgress {
  progress: number;
  status: string;
  prompts: {
    total: number;
    completed: number;
    processing: number;
    pending: number;
    failed: number;
  };
}

export interface ModelResult {
  modelName: string;
  runId?: string;
  result: string;
  status: 'processing' | 'completed' | 'failed';
  error?: string;
}

export interface Clarification {
  clarificationId: string;
  question: string;
  status: 'pending' | 'answered';
  response?: string;
}

// Subscribed by id, the state comes again at each connection: an entry takes the place of the one that it is a newer one of.
function withEntry<T>(entries: T[], entry: T, isSame: (known: T) => boolean): T[] {
  return entries.some(isSame) ? entries.map((known) => (isSame(known) ? entry : known)) : [...entries, entry];
}

export function useSessionWebSocket(server: string, sessionId: string | null) {
  const [socket, setSocket] = useState<Socket | null>(null);
  const [isConnected, setIsConnected] = useState(false);
  const [progress, setProgress] = useState<SessionProgress | null>(null);
  const [modelResults, setModelResults] = useState<ModelResult[]>([]);
  const [clarifications, setClarifications] = useState<Clarification[]>([]);
  const [isCompleted, setIsCompleted] = useState(false);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    if (!sessionId) return;
    const newSocket = io(server, { path: '/socket.io/', transports: ['websocket', 'polling'], tryAllTransports: true });

    newSocket.on('connect', () => {
      setIsConnected(true);
      setError(null);
      newSocket.emit('subscribe', sessionId);
    });
    newSocket.on('disconnect', () => setIsConnected(false));
    newSocket.on('progress', (data: SessionProgress) => setProgress(data));
    newSocket.on('model_result', (data: ModelResult) => {
      setModelResults((known) => withEntry(known, data, (one) => one.modelName === data.modelName && one.runId === data.runId));
    });
    newSocket.on('clarification', (data: Clarification) => {
      setClarifications((known) => withEntry(known, data, (one) => one.clarificationId === data.clarificationId));
    });
    newSocket.on('completed', () => setIsCompleted(true));
    newSocket.on('error', (data: { error: string }) => setError(data.error));
    newSocket.on('connect_error', (reason) => setError(reason.message));
    setSocket(newSocket);

    // Cleanup: nothing of this session is shown with the next.
    return () => {
      newSocket.emit('unsubscribe', sessionId);
      newSocket.disconnect();
      setSocket(null);
      setIsConnected(false);
      setProgress(null);
      setModelResults([]);
      setClarifications([]);
      setIsCompleted(false);
      setError(null);
    };
  }, [server, sessionId]);

  return { socket, isConnected, progress, modelResults, clarifications, isCompleted, error };
}
