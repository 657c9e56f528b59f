// Handlers by name. What one throws is reported as any uncaught error is, and keeps nothing from the others.

export type Handler<T> = (value: T) => void;

export class Emitter<Events extends object> {
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>();

  /** Returns what takes the handler away again. Given twice, it is called twice. */
  on<Name extends keyof Events>(name: Name, handler: Handler<Events[Name]>): () => void {
    const own: Handler<Events[Name]> = (value) => handler(value);
    let handlers = this.#handlers.get(name);
    if (!handlers) this.#handlers.set(name, (handlers = new Set()));
    handlers.add(own as Handler<never>);
    return () => handlers.delete(own as Handler<never>);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        (handler as Handler<Events[Name]>)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
