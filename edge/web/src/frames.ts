// Tells React that something has changed: at most once a frame, however often it changes.
import { useSyncExternalStore } from 'react';

export class Changes {
  private version = 0;
  private scheduled = 0;
  private readonly listeners = new Set<() => void>();

  // `intervalMs`: 0 is each frame.
  constructor(private readonly intervalMs = 0) {}

  changed(): void {
    if (this.scheduled) return;
    this.scheduled = 1;
    const tell = () => {
      this.scheduled = 0;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    if (this.intervalMs > 0) setTimeout(() => requestAnimationFrame(tell), this.intervalMs);
    else requestAnimationFrame(tell);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly current = (): number => this.version;
}

// Renders the component again when something has changed.
export function useChanges(changes: Changes): number {
  return useSyncExternalStore(changes.subscribe, changes.current);
}
