// The token that the person has given: for this tab, until it is closed.
const KEY = 'sessioncast.token';

export function currentToken(): string {
  return sessionStorage.getItem(KEY) ?? '';
}

export function keepToken(token: string): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

// For REST.
export function authorization(): Record<string, string> {
  const token = currentToken();
  return token ? { Authorization: `Bearer ${token}` } : {};
}
