import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';

const asked = new URLSearchParams(location.search);

createRoot(document.getElementById('app')!).render(
  <StrictMode>
    <App server={asked.get('server') ?? 'http://localhost:3000'} initialSession={asked.get('session')} />
  </StrictMode>,
);
