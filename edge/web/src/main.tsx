import { createRoot } from 'react-dom/client';

import { App } from './App';
import { Watcher } from './watcher';

createRoot(document.getElementById('page')!).render(<App watcher={new Watcher()} />);
