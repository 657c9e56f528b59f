// One session: how far it is, what it asks, what each model has said, how it ended, and its events.
import { Fragment, memo, useMemo } from 'react';

import type { Session } from '../../../client_sdk/js/src/session';
import type { Prompts, SessionState } from './events';
import { clock, count, counted, duration, percent } from './format';
import { useChanges } from './frames';
import { QuestionView } from './QuestionView';
import { endOf, questionsOf, TIMELINE_ENTRIES_MAX, type End, type Entry, type Model, type SessionLog } from './session_log';
import { Status } from './Status';
import { Text } from './Text';
import type { Watcher } from './watcher';

const ENDS: Record<End['kind'], string> = { completed: 'Completed', failed: 'Failed', expired: 'Expired' };

interface Props {
  watcher: Watcher;
  session: Session;
  log: SessionLog;
}

export function SessionView({ watcher, session, log }: Props) {
  const { state } = session;
  const questions = useMemo(() => questionsOf(state), [state]);
  return (
    <>
      <ProgressView watcher={watcher} session={session} log={log} />
      <EndView state={state} />
      <section aria-label="Questions" aria-live="polite" className="questions">
        {questions.map((question) => (
          <QuestionView key={question.clarificationId} question={question} watcher={watcher} />
        ))}
      </section>
      {log.models.size > 0 && (
        <section aria-labelledby="models-title">
          <h2 id="models-title">
            Models <span className="about">{count(log.models.size)}</span>
          </h2>
          <div className="models">
            {[...log.models.values()].map((model) => (
              <ModelView key={model.key} model={model} />
            ))}
          </div>
        </section>
      )}
      <Timeline watcher={watcher} log={log} />
    </>
  );
}

function ProgressView({ watcher, session, log }: Props) {
  const { progress } = session.state;
  const { eventsShown, eventsSkipped } = log;
  return (
    <section className="card progress" aria-labelledby="session-id">
      <div className="head">
        <h2 id="session-id">{session.id}</h2>
        {eventsShown > 0 && <Status status={session.state.status} />}
      </div>
      {watcher.followsDemo && <p className="about">The demo’s session; the next one follows by itself.</p>}
      <div className="bar">
        <progress
          id="bar"
          max={100}
          value={progress?.progress ?? 0}
          data-status={session.state.status.toLowerCase()}
          aria-label="Progress"
        />
        <strong id="percent">{progress ? percent(progress.progress) : '–'}</strong>
      </div>
      {watcher.refusal ? (
        <p className="refusal" role="alert">
          {watcher.refusal}
        </p>
      ) : (
        eventsShown === 0 && <p className="about">Waiting for the first event.</p>
      )}
      {progress && progress.prompts.total > 0 && <PromptsView prompts={progress.prompts} />}
      {log.hasStartedAgain && (
        <p className="about" id="started-again">
          The server has no longer all that was shown here: this is the session as it has it now.
        </p>
      )}
      <p className="about">
        <span id="events-shown" data-count={eventsShown}>
          {counted(eventsShown, 'event')}
        </span>
        {eventsSkipped > 0 && ` shown, ${count(eventsSkipped)} superseded by them and left out`}
        {log.updatedAt && ` · the last at ${clock(log.updatedAt)}`}
      </p>
    </section>
  );
}

const PROMPT_STATES = ['completed', 'processing', 'pending', 'failed'] as const;

function PromptsView({ prompts }: { prompts: Prompts }) {
  const states = PROMPT_STATES.filter((state) => prompts[state] > 0);
  return (
    <div className="prompts">
      {states.length > 1 && (
        <div className="parts" aria-hidden="true">
          {states.map((state) => (
            <span key={state} data-status={state} style={{ flexGrow: prompts[state] }} />
          ))}
        </div>
      )}
      <dl>
        <div>
          <dt>prompts</dt>
          <dd>{count(prompts.total)}</dd>
        </div>
        {states.map((state) => (
          <div key={state} data-status={state}>
            <dt>
              <span className="dot" aria-hidden="true" />
              {state}
            </dt>
            <dd>{count(prompts[state])}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function aboutModel({ provider, runId, durationMs }: Model): string[] {
  return [provider, runId && `run ${runId}`, durationMs === null ? '' : duration(durationMs)].filter(Boolean);
}

const ModelView = memo(function ModelView({ model }: { model: Model }) {
  return (
    <article className="card model" data-status={model.status} aria-label={`Model ${model.name}`}>
      <div className="head">
        <h3 title={model.name}>{model.name}</h3>
        <Status status={model.status} />
      </div>
      <p className="about">
        {aboutModel(model).map((part, i) => (
          <Fragment key={i}>
            {i > 0 && ' · '}
            <bdi>{part}</bdi>
          </Fragment>
        ))}
      </p>
      <Text>{model.text}</Text>
      <Text className="failure">{model.error}</Text>
    </article>
  );
});

function EndView({ state }: { state: SessionState }) {
  const end = useMemo(() => endOf(state), [state]);
  return (
    end && (
      <section className="card end" data-kind={end.kind} aria-live="polite" aria-labelledby="end-title">
        <h2 id="end-title">{ENDS[end.kind]}</h2>
        <pre id="end-text" tabIndex={0}>
          {end.text}
        </pre>
      </section>
    )
  );
}

// Drawn again a few times a second only: nobody reads faster.
const Timeline = memo(function Timeline({ watcher, log }: { watcher: Watcher; log: SessionLog }) {
  useChanges(watcher.timelineChanges);
  const entries = log.timeline.slice(-TIMELINE_ENTRIES_MAX).reverse();
  return (
    <section aria-labelledby="events-title">
      <h2 id="events-title">
        Events{' '}
        <span className="about">{log.eventsShown > entries.length ? `the last ${count(entries.length)}` : count(entries.length)}</span>
      </h2>
      <ol id="events" className="card timeline" tabIndex={0} aria-label="Events, the newest first">
        {entries.map((entry) => (
          <EntryView key={entry.key} entry={entry} />
        ))}
      </ol>
    </section>
  );
});

const EntryView = memo(function EntryView({ entry }: { entry: Entry }) {
  return (
    <li data-sequence={entry.sequence} data-skipped={entry.skipped || undefined}>
      <span className="sequence">{entry.sequence}</span>
      <time dateTime={entry.timestamp}>{clock(entry.timestamp)}</time>
      <span className="name">{entry.name}</span>
      <span className="summary">{entry.summary}</span>
      {entry.skipped > 0 && <span className="skipped">before it {counted(entry.skipped, 'event')} superseded, left out</span>}
    </li>
  );
});
