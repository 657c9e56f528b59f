// Between what arrives and who iterates: a bounded queue.
import { EventsOverflowError } from './errors.js';

export class EventQueue<T> implements AsyncIterableIterator<T> {
  readonly #waiting: T[] = [];
  #end: { error?: Error } | undefined;
  #reader: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly bufferedEventsMax: number,
    private readonly onReturn: () => void,
  ) {}

  push(value: T): void {
    if (this.#end) return;
    if (this.#reader) return this.#takeReader().resolve({ done: false, value });
    if (this.#waiting.length >= this.bufferedEventsMax) return this.end(new EventsOverflowError(this.bufferedEventsMax));
    this.#waiting.push(value);
  }

  /** What waits is still read. */
  end(error?: Error): void {
    if (this.#end) return;
    this.#end = error ? { error } : {};
    this.onReturn();
    if (!this.#reader) return;
    const reader = this.#takeReader();
    if (error) reader.reject(error);
    else reader.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#waiting.length > 0) return Promise.resolve({ done: false, value: this.#waiting.shift() as T });
    if (!this.#end) {
      if (this.#reader) return Promise.reject(new Error('next(): the one before has not settled; read one event after the other'));
      return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
    }
    const { error } = this.#end;
    this.#end = {};
    return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
  }

  return(): Promise<IteratorResult<T>> {
    this.#waiting.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeReader() {
    const reader = this.#reader!;
    this.#reader = undefined;
    return reader;
  }
}
