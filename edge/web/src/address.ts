// Which session the page's address names: `#ID`, `#/ID` or `?session=ID`.

export function sessionInAddress({ hash, search }: { hash: string; search: string }): string {
  let id = hash.replace(/^#\/?/, '');
  try {
    id = decodeURIComponent(id);
  } catch {
    // It is no id then, which the server says.
  }
  return id.trim() || (new URLSearchParams(search).get('session') ?? '').trim();
}

export function addressOf(sessionId: string): string {
  return `#${encodeURIComponent(sessionId)}`;
}

// Of tools/demo.py: the session whose progress names the demo session that runs now.
export function demoPointer(now = new Date()): string {
  return `demo-${now.toISOString().slice(0, 10)}`;
}
