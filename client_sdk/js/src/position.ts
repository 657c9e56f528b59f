// The rule of docs/PROTOCOL.md by which a client neither misses an event nor sees one twice. Pure.
import type { Placed, Position } from './protocol.js';

/** What an event is to a reader at a position: to be shown; seen before; or the sign that something is missing before it. */
export type Arrival = 'next' | 'seen' | 'missing';

/** Before the first event there is no epoch: any can follow. */
export function isSameEpoch(a: Position, b: Position): boolean {
  return a.epoch === b.epoch || a.epoch === '' || b.epoch === '';
}

export function arrivalAt(position: Position, event: Placed): Arrival {
  if (!isSameEpoch(position, event)) return 'missing';
  if (event.sequence <= position.sequence) return 'seen';
  return event.sequence > position.sequence + 1 + (event.skipped ?? 0) ? 'missing' : 'next';
}
