// The page at /: one session as a web client sees it, with the stock Socket.IO client and nothing
// else.
//
// Which session: the one in the address behind '#', else the demo's, whose id is in
// `result.sessionId` of the progress of the session demo-YYYY-MM-DD (tools/demo.py). It also shows
// the resume rule of docs/PROTOCOL.md: the position of the last event that was shown goes into the
// next subscribe.
'use strict';

const EVENTS_SHOWN_MAX = 200;
const POINTER_CHECK_MS = 60_000;

const byId = (id) => document.getElementById(id);

const socket = io({ transports: ['websocket', 'polling'] });

let pointerId = null; // the session that names the demo's current one; null: a person has chosen
let sessionId = null; // the session that is shown
let last = null; // the position of the last event that was shown; null: none

function chosenSession() {
  return location.hash.slice(1);
}

function demoPointer() {
  return 'demo-' + new Date().toISOString().slice(0, 10);
}

// --- which session is watched ---

function follow() {
  const chosen = chosenSession();
  const nextPointer = chosen ? null : demoPointer();
  if (pointerId && pointerId !== nextPointer) {
    socket.emit('unsubscribe', pointerId);
  }
  pointerId = nextPointer;
  byId('session').value = chosen;
  if (chosen) {
    watch(chosen);
  } else if (socket.connected) {
    socket.emit('subscribe', pointerId);
  }
}

function watch(id) {
  if (id === sessionId) return;
  if (sessionId && socket.connected) socket.emit('unsubscribe', sessionId);
  sessionId = id;
  last = null;
  clear();
  if (socket.connected) subscribe();
}

function subscribe() {
  socket.emit('subscribe', last ? { sessionId, after: last } : sessionId);
}

// Whether this is the next event of the session that is shown; moves the position. See
// docs/PROTOCOL.md, resume.
function accept(event) {
  if (event.sessionId !== sessionId) return false;
  if (last && event.epoch === last.epoch) {
    if (event.sequence <= last.sequence) return false;
    if (event.sequence > last.sequence + 1 + (event.skipped ?? 0)) {
      subscribe();
      return false;
    }
  }
  last = { epoch: event.epoch, sequence: event.sequence };
  return true;
}

socket.on('connect', () => {
  showConnection('connected', 'connected');
  if (pointerId) socket.emit('subscribe', pointerId);
  if (sessionId) subscribe();
});

socket.on('disconnect', (reason) => {
  showConnection('disconnected', `disconnected (${reason}), coming back …`);
});

socket.on('connect_error', () =>
  showConnection('disconnected', 'the server is away, trying again …'),
);

socket.on('subscribed', (data) => {
  if (data.sessionId === sessionId) last = { epoch: data.epoch, sequence: data.sequence };
});

socket.on('resync', (data) => {
  if (data.sessionId !== sessionId) return;
  clear();
  last = { epoch: data.epoch, sequence: data.sequence };
});

// --- what happens in it ---

socket.on('progress', (data) => {
  if (data.sessionId === pointerId && data.result?.sessionId) watch(data.result.sessionId);
  if (!accept(data)) return;
  byId('status').textContent = data.status;
  byId('bar').value = data.progress;
  byId('percent').textContent =
    `${data.progress} % – ${data.prompts.completed} of ${data.prompts.total} results complete`;
  note('progress', data, `${data.progress} % ${data.status}`);
  if (data.status === 'EXPIRED')
    showEnd('Expired', 'Nobody published to this session for its time to live.');
});

socket.on('model_result', (data) => {
  if (!accept(data)) return;
  const card = cardFor('models', `${data.modelName} ${data.runId ?? ''}`, 'model');
  card.dataset.status = data.status;
  const about = [data.provider, data.status, `${(data.duration / 1000).toFixed(1)} s`]
    .filter(Boolean)
    .join(' · ');
  card.replaceChildren(
    element('h3', data.modelName),
    element('p', about, 'about'),
    element('p', data.error ?? data.result, 'text'),
  );
  note('model_result', data, `${data.modelName} ${data.status}`);
});

socket.on('clarification', (data) => {
  if (!accept(data)) return;
  const card = cardFor('clarifications', data.clarificationId, 'question');
  card.dataset.status = data.status;
  const closed = data.status !== 'pending';
  card.replaceChildren(
    element('h3', data.question),
    closed ? element('p', outcomeOf(data), 'text') : answerForm(data),
  );
  note('clarification', data, closed ? data.outcome : data.question);
});

socket.on('completed', (data) => {
  if (!accept(data)) return;
  showEnd('Completed', JSON.stringify(data.result, null, 2));
  note('completed', data, '');
});

socket.on('error', (data) => {
  if (data.sequence === undefined) {
    // Not of a session's log: it answers what this page has sent.
    if (!data.sessionId || data.sessionId === sessionId) byId('percent').textContent = data.error;
    return;
  }
  if (!accept(data)) return;
  if (data.final) showEnd('Failed', data.error);
  note('error', data, data.error);
});

const CONTRACT_EVENTS = new Set([
  'connected',
  'subscribed',
  'unsubscribed',
  'resync',
  'progress',
  'model_result',
  'clarification',
  'completed',
  'error',
]);

// Events of the publisher's own.
socket.onAny((name, data) => {
  if (CONTRACT_EVENTS.has(name) || !data || !accept(data)) return;
  note(name, data, JSON.stringify(data.data));
});

function outcomeOf(data) {
  if (data.outcome === 'cancelled') return 'The question was withdrawn.';
  if (data.outcome === 'answered') return `Answer: ${data.response}`;
  return data.response === undefined
    ? 'Nobody answered in time.'
    : `Nobody answered in time: ${data.response}`;
}

// A form that answers by the socket. The card is replaced when the event with the outcome comes,
// here and at every other viewer.
function answerForm(question) {
  const form = document.createElement('form');
  const input = element('input');
  input.setAttribute('aria-label', 'Your answer');
  input.required = true;
  const refusal = element('p', '', 'about');
  form.append(input, element('button', 'Answer'), refusal);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const answer = {
      sessionId: question.sessionId,
      clarificationId: question.clarificationId,
      response: input.value,
    };
    socket.timeout(10_000).emit('clarification_response', answer, (timeout, reply) => {
      refusal.textContent = timeout ? 'No reply; please try again.' : (reply.error ?? '');
    });
  });
  return form;
}

// --- the document ---

function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function cardFor(parentId, key, className) {
  const parent = byId(parentId);
  const found = [...parent.children].find((child) => child.dataset.key === key);
  if (found) return found;
  const card = element('article', '', className);
  card.dataset.key = key;
  parent.append(card);
  return card;
}

function showConnection(state, text) {
  byId('connection').dataset.state = state;
  byId('connection').textContent = text;
}

function showEnd(title, text) {
  byId('end').hidden = false;
  byId('end-title').textContent = title;
  byId('end-text').textContent = text;
}

function note(name, data, text) {
  const skipped = data.skipped ? ` (${data.skipped} superseded before it)` : '';
  byId('events').prepend(
    element('li', `${data.sequence}  ${data.timestamp}  ${name}  ${text}${skipped}`),
  );
  while (byId('events').childElementCount > EVENTS_SHOWN_MAX) byId('events').lastChild.remove();
}

function clear() {
  byId('session-id').textContent = sessionId ?? '–';
  byId('status').textContent = '';
  byId('bar').value = 0;
  byId('percent').textContent = 'waiting for the first event';
  byId('end').hidden = true;
  for (const id of ['models', 'clarifications', 'events']) byId(id).replaceChildren();
}

byId('choose').addEventListener('submit', (event) => {
  event.preventDefault();
  location.hash = byId('session').value.trim();
});
addEventListener('hashchange', follow);
// The demo's pointer has the day in its name.
setInterval(() => {
  if (pointerId && pointerId !== demoPointer()) follow();
}, POINTER_CHECK_MS);

follow();
